//! Where a fetch may lead.

use super::{CONTENT, Internet, Server, fetched, refused, sends};
use crate::{FetchError, fetch::target::Target};

#[tokio::test(start_paused = true)]
async fn no_spelling_of_a_special_address_is_dialled() {
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "%31%32%37.0.0.1",
        "127。0。0。1",
        "０x7f.1",
        "0",
        "10.1.2.3",
        "169.254.169.254",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
    ] {
        let internet = Internet::default();
        let error = refused(&internet, &format!("http://{host}/")).await;
        assert!(
            matches!(error, FetchError::Special { .. }),
            "{host}: {error}"
        );
        assert!(error.is_refusal());
        assert_eq!(internet.dialled(), [""; 0], "{host}");
        assert_eq!(internet.asked(), [""; 0], "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_special_address_condemns_a_name() {
    for addresses in [["93.184.216.34", "10.0.0.1"], ["::1", "93.184.216.34"]] {
        let internet = Internet::default()
            .name("mixed.example", &addresses)
            .server("93.184.216.34", sends(CONTENT));
        let error = refused(&internet, "http://mixed.example/").await;
        assert!(matches!(error, FetchError::Special { .. }), "{error}");
        assert_eq!(internet.dialled(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_address_that_was_checked_is_dialled_and_the_name_asked_once() {
    let internet = Internet::default()
        .changing_name("rebinding.example", &[&["93.184.216.34"], &["127.0.0.1"]])
        .server("93.184.216.34", sends(CONTENT))
        .server("127.0.0.1", sends(CONTENT));
    fetched(&internet, "http://rebinding.example:8080/").await;
    assert_eq!(internet.asked(), ["rebinding.example"]);
    assert_eq!(internet.dialled(), ["93.184.216.34:8080"]);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_checked_like_the_url_before_it() {
    for location in [
        "http://127.0.0.1/",
        "http://0x7f.1:631/",
        "//[::1]/",
        "http://inside.example/",
    ] {
        let internet = Internet::default()
            .name("outside.example", &["93.184.216.34"])
            .name("inside.example", &["192.168.1.1"])
            .redirect("93.184.216.34", location);
        let error = refused(&internet, "http://outside.example/").await;
        assert!(
            matches!(error, FetchError::Special { .. }),
            "{location}: {error}"
        );
        assert_eq!(internet.dialled(), ["93.184.216.34:80"], "{location}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_is_checked_anew_when_a_redirect_comes_back_to_it() {
    let internet = Internet::default()
        .changing_name("rebinding.example", &[&["93.184.216.34"], &["127.0.0.1"]])
        .redirect("93.184.216.34", "/again");
    let error = refused(&internet, "http://rebinding.example/").await;
    assert!(matches!(error, FetchError::Special { .. }), "{error}");
    assert_eq!(internet.dialled(), ["93.184.216.34:80"]);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_leads_on_over_http_only() {
    for (location, usage) in [
        ("file:///etc/passwd", "only http and https"),
        ("ftp://93.184.216.34/", "only http and https"),
        ("http://user:word@93.184.216.34/", "without them"),
        ("http://", "not a URL"),
    ] {
        let internet = Internet::default().redirect("93.184.216.34", location);
        let error = refused(&internet, "http://93.184.216.34/").await;
        assert!(error.to_string().contains(usage), "{location}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_circle_of_redirects_ends() {
    let internet = Internet::default().redirect("93.184.216.34", "/round");
    let error = refused(&internet, "http://93.184.216.34/").await;
    assert!(matches!(error, FetchError::Redirects(10)), "{error}");
    assert_eq!(internet.dialled().len(), 11);
}

#[test]
fn https_stays_https() {
    let target = |text| Target::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let secure = target("https://a.example/");
    let downgraded = secure
        .redirect("http://a.example/")
        .err()
        .expect("a refusal");
    assert!(matches!(downgraded, FetchError::Downgrade { .. }));
    assert!(downgraded.is_refusal());
    assert!(
        secure
            .redirect("//b.example/")
            .is_ok_and(|next| next.secure())
    );
    let upgraded = target("http://a.example/").redirect("https://a.example/");
    assert!(upgraded.is_ok_and(|next| next.secure()));
}

#[test]
fn only_a_plain_web_address_is_a_url() {
    for text in [
        "",
        "example.org/a.png",
        "/etc/passwd",
        "file:///etc/passwd",
        "gopher://a.example/",
        "data:text/plain,hello",
        "http://",
        "http://a.example:99999/",
        "http://[::1/",
        "http://1.2.3.256/",
        "http://user@a.example/",
        "http://:word@a.example/",
    ] {
        let error = Target::parse(text)
            .err()
            .unwrap_or_else(|| panic!("{text}"));
        assert!(error.is_usage(), "{text}: {error}");
        assert!(!error.to_string().contains("word@"), "{error}");
    }
    let long = format!("http://a.example/{}", "a".repeat(10_000));
    assert!(Target::parse(&long).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_where_one_does_not_answer() {
    let internet = Internet::default()
        .name("two.example", &["2606:4700::1", "93.184.216.34"])
        .server("2606:4700::1", Server::Unreachable)
        .server("93.184.216.34", sends(CONTENT));
    fetched(&internet, "http://two.example/").await;
    assert_eq!(
        internet.dialled(),
        ["[2606:4700::1]:80", "93.184.216.34:80"]
    );
    let error = refused(&internet, "http://93.184.216.35/").await;
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    let error = refused(&internet, "http://nowhere.example/").await;
    assert!(matches!(error, FetchError::Unresolved { .. }), "{error}");
}
