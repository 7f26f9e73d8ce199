//! What the browser shows at the end of a login.

/// An answer over HTTP/1.1 with a page of one sentence.
pub(super) fn answer(status: &str, sentence: &str) -> String {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <link rel=\"icon\" href=\"data:,\"><title>vaultctl</title></head>\
         <body><p role=\"status\">{sentence}</p></body></html>\n"
    );
    let length = page.len();
    // The address holds the code: it goes into no cache, and to no other site. Nobody listens any more
    // when a browser asks for an icon, so there is one, and it is empty.
    format!(
        "HTTP/1.1 {status}\r\n\
         content-type: text/html; charset=utf-8\r\n\
         content-length: {length}\r\n\
         cache-control: no-store\r\n\
         content-security-policy: default-src 'none'; img-src data:; frame-ancestors 'none'\r\n\
         referrer-policy: no-referrer\r\n\
         x-content-type-options: nosniff\r\n\
         connection: close\r\n\r\n{page}"
    )
}
