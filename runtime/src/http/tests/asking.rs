//! What is asked of the pipeline: paths and bodies become requests, and replies become answers.

use super::*;

/// Sends requests, one after the other, and answers each on the pipeline's side. Gives what the pipeline was asked for, with status
/// and body of the answer.
async fn handed_on(asked: &[(&str, &str, &str, Answered)]) -> Vec<(Ask, u16, String)> {
    let mut endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    let (_unused, nobody) = mpsc::channel(1);
    let mut requested = std::mem::replace(&mut endpoint.requested, nobody);
    let pipeline = async {
        let mut whats = Vec::new();
        for (.., answer) in asked {
            let Request { what, reply } = requested.recv().await.unwrap();
            whats.push(what);
            reply.send(answer.clone()).unwrap();
        }
        whats
    };
    let client = async {
        let mut answers = Vec::new();
        for (method, path, body, _) in asked {
            let length = body.len();
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            answers.push(endpoint.ask(&request).await);
        }
        answers
    };
    let (whats, answers) = tokio::join!(pipeline, client);
    let all = whats.into_iter().zip(answers);
    all.map(|(what, (status, body))| (what, status, body)).collect()
}

#[tokio::test]
async fn a_request_to_try_a_guest_again_is_handed_on_and_answered() {
    let path = "/rules/mean/retry";
    let answers = handed_on(&[
        ("POST", path, "", Ok(Reply::Text("mean is loaded again".to_owned()))),
        (
            "POST",
            path,
            "",
            Err(RequestRefused::Unknown("there is no x".to_owned())),
        ),
        ("POST", path, "", Err(RequestRefused::Conflict("it traps".to_owned()))),
    ])
    .await;
    let retry = || Ask::Guest("mean".to_owned(), GuestAction::Retry);
    let expected = [
        (retry(), 200, r#"{"message":"mean is loaded again"}"#.to_owned()),
        (retry(), 404, r#"{"error":404,"message":"there is no x"}"#.to_owned()),
        (retry(), 409, r#"{"error":409,"message":"it traps"}"#.to_owned()),
    ];
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn streams_rules_and_queries_are_asked_for_in_words_and_json() {
    let sql = r#"{"sql": "select 1"}"#;
    let text = |text: &str| Ok(Reply::Text(text.to_owned()));
    let created = |text: &str| Ok(Reply::Created(text.to_owned()));
    let invalid = || Err(RequestRefused::Invalid("no".to_owned()));
    let unprocessable = || Err(RequestRefused::Unprocessable("no".to_owned()));
    let answers = handed_on(&[
        ("POST", "/streams", sql, created("Stream a is created.")),
        ("PUT", "/streams/a", sql, invalid()),
        ("DELETE", "/streams/a", "", text("Stream a is dropped.")),
        ("POST", "/rules", "{}", created("Rule r was created successfully.")),
        ("PUT", "/rules/r", "{}", text("updated")),
        ("DELETE", "/rules/r", "", text("dropped")),
        ("POST", "/rules/validate", "{}", unprocessable()),
        ("POST", "/rules/r/stop", "", text("Rule r was stopped.")),
        ("POST", "/rules/r/start", "", text("Rule r was started")),
        ("POST", "/rules/r/restart", "", text("Rule r was restarted.")),
        ("POST", "/explain", sql, Ok(Reply::Json("{}".to_owned()))),
        (
            "POST",
            "/queries",
            sql,
            Ok(Reply::CreatedJson("{\"id\":\"q\"}".to_owned())),
        ),
        ("GET", "/queries/q", "", Ok(Reply::Json("{\"results\":[]}".to_owned()))),
        ("DELETE", "/queries/q", "", text("ended")),
    ])
    .await;
    let define = |definition: Definition| Ask::Define(definition);
    let put_stream = |replaces: Option<&str>| {
        define(Definition::PutStream {
            replaces: replaces.map(ToOwned::to_owned),
            sql: "select 1".to_owned(),
        })
    };
    let put_rule = |replaces: Option<&str>| {
        define(Definition::PutRule {
            replaces: replaces.map(ToOwned::to_owned),
            rule: "{}".to_owned(),
        })
    };
    let act = |action| Ask::Guest("r".to_owned(), action);
    let no = |status: u16| format!("{{\"error\":{status},\"message\":\"no\"}}");
    let expected = [
        (put_stream(None), 201, "Stream a is created.".to_owned()),
        (put_stream(Some("a")), 400, no(400)),
        (
            define(Definition::DropStream("a".to_owned())),
            200,
            "Stream a is dropped.".to_owned(),
        ),
        (put_rule(None), 201, "Rule r was created successfully.".to_owned()),
        (put_rule(Some("r")), 200, "updated".to_owned()),
        (define(Definition::DropRule("r".to_owned())), 200, "dropped".to_owned()),
        (define(Definition::Validate("{}".to_owned())), 422, no(422)),
        (act(GuestAction::Stop), 200, "Rule r was stopped.".to_owned()),
        (act(GuestAction::Start), 200, "Rule r was started".to_owned()),
        (act(GuestAction::Restart), 200, "Rule r was restarted.".to_owned()),
        (define(Definition::Explain("select 1".to_owned())), 200, "{}".to_owned()),
        (
            Ask::Watch(LiveQuery::Start("select 1".to_owned())),
            201,
            "{\"id\":\"q\"}".to_owned(),
        ),
        (
            Ask::Watch(LiveQuery::Fetch("q".to_owned())),
            200,
            "{\"results\":[]}".to_owned(),
        ),
        (Ask::Watch(LiveQuery::Stop("q".to_owned())), 200, "ended".to_owned()),
    ];
    for (answer, expected) in answers.iter().zip(&expected) {
        assert_eq!(answer, expected);
    }
    assert_eq!(answers.len(), expected.len());
}

#[tokio::test]
async fn what_is_no_request_is_refused_here() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    endpoint.publish(Readiness::Ready);
    let send = |path: &'static str, body: String| {
        let length = body.len();
        let request =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        async { endpoint.ask(&{ request }).await }
    };
    for (path, body, status, part) in [
        ("/streams", "create stream".to_owned(), 400, "such as {\\\"sql\\\""),
        ("/queries", "{\"sql\": 1}".to_owned(), 400, "must be JSON"),
        ("/rules/mean/fly", String::new(), 404, "start, stop, restart"),
        ("/rules", "x".repeat((1 << 20) + 1), 413, "length limit"),
    ] {
        let (code, answer) = send(path, body).await;
        assert_eq!(code, status, "{path}: {answer}");
        assert!(answer.contains(part), "{path}: {answer}");
    }
}

#[tokio::test]
async fn streams_are_described_and_rule_files_come_as_they_are() {
    let endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    endpoint.publish(Readiness::Ready);
    assert_eq!(endpoint.get("/streams").await, (200, "[\"demo\"]".to_owned()));
    let (status, stream) = endpoint.get_json("/streams/demo").await;
    assert_eq!((status, &stream["Name"]), (200, &"demo".into()));
    assert_eq!(endpoint.get("/streams/nothing").await.0, 404);
    let (status, rule) = endpoint.get("/rules/broken%20rule").await;
    assert_eq!((status, rule.as_str()), (200, "{\"id\": \"broken rule\"}"));
    let (_, guest) = endpoint.get_json("/guests/broken%20rule").await;
    assert_eq!(guest["status"], "stopped");
}

#[tokio::test]
async fn a_page_in_a_browser_cannot_ask_for_anything_to_be_done() {
    let mut endpoint = Endpoint::start(None, Bounds::STANDARD).await;
    let (status, body) = endpoint
        .post("/rules/mean/retry", "origin: http://127.0.0.1:9081\r\n")
        .await;
    assert_eq!(status, 403, "{body}");
    assert!(endpoint.requested.try_recv().is_err());
}
