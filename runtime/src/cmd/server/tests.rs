//! The client against a socket that answers what a test wants.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers one request, and gives what was asked and what came of it.
async fn asked(answer: &str, token: Option<&str>) -> (String, anyhow::Result<Answer>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.to_owned();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let args = ServerArgs {
        config: ConfigArgs {
            config: "there-is-no-such-file.toml".into(),
        },
        server: Some(address::parse(&address.to_string()).unwrap()),
        token: token.map(ToOwned::to_owned),
    };
    let server_asked = args.client().map_err(|failure| failure.to_string()).unwrap();
    let answered = server_asked.get(&["rules", "a b/c", "status"]).await;
    (server.await.unwrap(), answered)
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

async fn error(answer: &str, token: Option<&str>) -> String {
    asked(answer, token).await.1.unwrap_err().to_string()
}

#[tokio::test]
async fn the_token_is_sent_and_a_name_stays_one_segment() {
    let (request, answered) = asked(&http("200 OK", r#"{"status":"running"}"#), Some("secret")).await;
    assert!(
        request.starts_with("GET /rules/a%20b%2Fc/status HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.to_lowercase().contains("authorization: bearer secret\r\n"),
        "{request}"
    );
    assert!(matches!(answered, Ok(Answer::Done(answer)) if answer["status"] == "running"));
}

#[tokio::test]
async fn a_token_that_is_missing_or_wrong_is_told_apart() {
    let refusal = http("401 Unauthorized", r#"{"error":401,"message":"needs the header"}"#);
    assert!(error(&refusal, None).await.contains("wants a token"));
    assert!(
        error(&refusal, Some("wrong"))
            .await
            .contains("does not take this token")
    );
}

#[tokio::test]
async fn an_error_is_told_in_the_words_of_the_process() {
    let conflict = http("409 Conflict", r#"{"error":409,"message":"count is refused: no"}"#);
    assert_eq!(error(&conflict, None).await, "count is refused: no");
    let (_, missing) = asked(
        &http("404 Not Found", r#"{"error":404,"message":"there is no rule x"}"#),
        None,
    )
    .await;
    assert!(matches!(missing, Ok(Answer::NotFound(message)) if message == "there is no rule x"));
}

#[tokio::test]
async fn what_is_not_rulemill_is_told_so() {
    for answer in [
        http("200 OK", "<html>welcome</html>"),
        http("404 Not Found", "nothing here"),
        http("302 Found", ""),
    ] {
        let error = error(&answer, None).await;
        assert!(error.contains("is not rulemill"), "{error}");
    }
    let error = error("SSH-2.0-OpenSSH_9.2\r\n", None).await;
    assert!(error.contains("did not answer as rulemill does"), "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let endless = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}",
        " ".repeat(BODY_BYTES_MAX + 1)
    );
    assert!(error(&endless, None).await.contains("larger than"));
}
