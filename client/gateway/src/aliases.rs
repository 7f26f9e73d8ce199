//! Names that stand for the documents of a store: an application that moves in keeps its addresses.

use std::collections::BTreeMap;

use http::{Uri, uri::PathAndQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a part of a path can hold as it is.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// `/api/conversations/1` becomes `/api/stores/chat%2Fconversations/documents/1`, where `conversations`
/// is an alias of `chat/conversations`; and `/api/conversations/watch` becomes the watch of that store. A
/// document whose id is `watch` is reached at the address that has no alias in it.
pub fn resolve(uri: &mut Uri, aliases: &BTreeMap<String, String>) {
    if let Some(resolved) = resolved(uri, aliases) {
        *uri = resolved;
    }
}

fn resolved(uri: &Uri, aliases: &BTreeMap<String, String>) -> Option<Uri> {
    let path = uri.path().strip_prefix("/api/")?;
    let (name, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let store = utf8_percent_encode(aliases.get(name)?, PART);
    let query = uri.query().map(|query| format!("?{query}"));
    let documents = if rest == "/watch" { "" } else { "/documents" };
    let address = format!(
        "/api/stores/{store}{documents}{rest}{}",
        query.unwrap_or_default()
    );
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(address).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_stands_for_the_documents_of_its_store() {
        let aliases = [("conversations", "chat/conversations")];
        let aliases = aliases.map(|(name, store)| (name.to_owned(), store.to_owned()));
        let aliases = BTreeMap::from(aliases);
        let documents = "/api/stores/chat%2Fconversations/documents";
        for (address, meant) in [
            ("/api/conversations", documents.to_owned()),
            ("/api/conversations?full=1", format!("{documents}?full=1")),
            ("/api/conversations/a%2Fb", format!("{documents}/a%2Fb")),
            (
                "/api/conversations/watch?since=7",
                "/api/stores/chat%2Fconversations/watch?since=7".to_owned(),
            ),
            ("/api/conversations/watch/", format!("{documents}/watch/")),
            ("/api/conversations/watches", format!("{documents}/watches")),
            ("/api/conversation", "/api/conversation".to_owned()),
            ("/api/stores", "/api/stores".to_owned()),
            ("/conversations", "/conversations".to_owned()),
        ] {
            let mut uri = address.parse().expect("an address");
            resolve(&mut uri, &aliases);
            assert_eq!(uri.to_string(), meant);
        }
    }
}
