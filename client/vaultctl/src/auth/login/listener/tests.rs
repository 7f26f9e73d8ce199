use super::*;

/// Long enough for any machine, and short enough for a test that fails.
const BOUND: Duration = Duration::from_secs(30);

fn state() -> Secret {
    Secret::new(b"our-state".to_vec())
}

async fn ask(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

async fn get(port: u16, target: &str) -> String {
    ask(port, &format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n")).await
}

/// What `code` ends with, asked for `targets` one after the other, and the answers to them.
async fn outcome(targets: &[&str]) -> (Result<Secret, Failure>, Vec<String>) {
    let listener = Listener::open().await.expect("a port");
    let port = listener.port;
    let waiting = tokio::spawn(listener.code(state(), BOUND));
    let mut answers = Vec::new();
    for target in targets {
        answers.push(get(port, target).await);
    }
    (waiting.await.expect("ended"), answers)
}

#[tokio::test]
async fn a_code_with_our_state_is_taken() {
    let (code, answers) = outcome(&["/callback?code=a%20b&state=our-state"]).await;
    assert_eq!(code.expect("a code").expose(), b"a b");
    assert!(answers[0].starts_with("HTTP/1.1 200 "), "{}", answers[0]);
    assert!(answers[0].contains("close this page"));
    assert!(!answers[0].contains("our-state"));
}

#[tokio::test]
async fn an_answer_to_another_login_changes_nothing() {
    let (code, answers) = outcome(&[
        "/favicon.ico",
        "/callback?code=foreign&state=other",
        "/callback?code=foreign",
        "/callback?error=access_denied&state=other",
        "/elsewhere?code=foreign&state=our-state",
        "/callback?code=ours&state=our-state",
    ])
    .await;
    assert_eq!(code.expect("a code").expose(), b"ours");
    let statuses: Vec<&str> = answers.iter().map(|answer| &answer[9..12]).collect();
    assert_eq!(statuses, ["404", "400", "400", "400", "404", "200"]);
}

#[tokio::test]
async fn a_refusal_ends_the_login() {
    for (query, expected) in [
        ("error=access_denied&state=our-state", "refused"),
        ("error=server_error&state=our-state", "server_error"),
        ("code=&state=our-state", "no code"),
    ] {
        let (code, answers) = outcome(&[&format!("/callback?{query}")]).await;
        let failure = format!("{:?}", code.expect_err("refused"));
        assert!(failure.contains(expected), "{failure}");
        assert!(answers[0].contains("was refused"), "{}", answers[0]);
    }
}

#[tokio::test]
async fn nobody_is_waited_for_without_end() {
    let listener = Listener::open().await.expect("a port");
    // One that says nothing holds nobody up.
    let silent = TcpStream::connect((Ipv4Addr::LOCALHOST, listener.port)).await;
    let code = listener.code(state(), Duration::from_millis(50)).await;
    let failure = format!("{:?}", code.expect_err("over"));
    assert!(failure.contains("nobody decided"), "{failure}");
    drop(silent);
}

#[tokio::test]
async fn a_head_without_end_is_not_read_on() {
    let listener = Listener::open().await.expect("a port");
    let port = listener.port;
    let waiting = tokio::spawn(listener.code(state(), BOUND));
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .expect("it listens");
    // It may be closed while this is written.
    let _ = stream.write_all(&vec![b'a'; 4 * HEAD_LIMIT]).await;
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "no answer");
    get(port, "/callback?code=ours&state=our-state").await;
    assert!(waiting.await.expect("ended").is_ok());
}

#[tokio::test]
async fn only_get_brings_a_code() {
    let listener = Listener::open().await.expect("a port");
    let port = listener.port;
    let waiting = tokio::spawn(listener.code(state(), BOUND));
    let target = "/callback?code=ours&state=our-state";
    let posted = ask(port, &format!("POST {target} HTTP/1.1\r\n\r\n")).await;
    assert!(posted.starts_with("HTTP/1.1 404 "), "{posted}");
    get(port, target).await;
    assert!(waiting.await.expect("ended").is_ok());
}
