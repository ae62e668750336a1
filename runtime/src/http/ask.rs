//! What is asked for: bodies and paths become requests to the pipeline, and its replies become answers.

use super::answer::Error;
use super::{Ask, Definition, GuestAction, LiveQuery, Reply, Request, RequestRefused, State};
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the pipeline may take for a request: it may be compiling.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// `{"sql": "..."}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sql {
    sql: String,
}

pub(super) async fn create_stream(state: Shared<State>, headers: HeaderMap, body: String) -> Result<Response, Error> {
    let what = Definition::PutStream {
        replaces: None,
        sql: sql_of(&body)?,
    };
    ask(&state, Ask::Define(what), &headers).await
}

pub(super) async fn replace_stream(
    state: Shared<State>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Error> {
    let what = Definition::PutStream {
        replaces: Some(name),
        sql: sql_of(&body)?,
    };
    ask(&state, Ask::Define(what), &headers).await
}

pub(super) async fn drop_stream(
    state: Shared<State>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    ask(&state, Ask::Define(Definition::DropStream(name)), &headers).await
}

pub(super) async fn create_rule(state: Shared<State>, headers: HeaderMap, rule: String) -> Result<Response, Error> {
    let what = Definition::PutRule { replaces: None, rule };
    ask(&state, Ask::Define(what), &headers).await
}

pub(super) async fn replace_rule(
    state: Shared<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
    rule: String,
) -> Result<Response, Error> {
    let what = Definition::PutRule {
        replaces: Some(id),
        rule,
    };
    ask(&state, Ask::Define(what), &headers).await
}

pub(super) async fn drop_rule(
    state: Shared<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    ask(&state, Ask::Define(Definition::DropRule(id)), &headers).await
}

pub(super) async fn validate_rule(state: Shared<State>, headers: HeaderMap, rule: String) -> Result<Response, Error> {
    ask(&state, Ask::Define(Definition::Validate(rule)), &headers).await
}

pub(super) async fn explain(state: Shared<State>, headers: HeaderMap, body: String) -> Result<Response, Error> {
    ask(&state, Ask::Define(Definition::Explain(sql_of(&body)?)), &headers).await
}

/// `POST /rules/{id}/{action}`.
pub(super) async fn act(
    state: Shared<State>,
    Path((id, action)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let action = match action.as_str() {
        "start" => GuestAction::Start,
        "stop" => GuestAction::Stop,
        "restart" => GuestAction::Restart,
        "retry" => GuestAction::Retry,
        "promote" => GuestAction::Promote,
        _ => {
            return Err(Error {
                status: StatusCode::NOT_FOUND,
                message: format!(
                    "nothing is called {action}; a rule can be sent start, stop, restart, retry and promote"
                ),
            });
        }
    };
    ask(&state, Ask::Guest(id, action), &headers).await
}

pub(super) async fn start_query(state: Shared<State>, headers: HeaderMap, body: String) -> Result<Response, Error> {
    ask(&state, Ask::Watch(LiveQuery::Start(sql_of(&body)?)), &headers).await
}

pub(super) async fn fetch_query(
    state: Shared<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    ask(&state, Ask::Watch(LiveQuery::Fetch(id)), &headers).await
}

pub(super) async fn stop_query(
    state: Shared<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    ask(&state, Ask::Watch(LiveQuery::Stop(id)), &headers).await
}

fn sql_of(body: &str) -> Result<String, Error> {
    let sql: Result<Sql, _> = serde_json::from_str(body);
    sql.map(|sql| sql.sql).map_err(|error| Error {
        status: StatusCode::BAD_REQUEST,
        message: format!("the body must be JSON such as {{\"sql\": \"...\"}}: {error}"),
    })
}

/// Hands a request to the pipeline and waits for its answer.
async fn ask(state: &State, what: Ask, headers: &HeaderMap) -> Result<Response, Error> {
    // A browser says where a page comes from; any page could send a simple request to a loopback address.
    if headers.contains_key(header::ORIGIN) {
        return Err(Error {
            status: StatusCode::FORBIDDEN,
            message: "requests of web pages are not carried out; use a client that sends no Origin".to_owned(),
        });
    }
    let in_words = matches!(what, Ask::Guest(_, GuestAction::Retry | GuestAction::Promote));
    let (reply, answer) = oneshot::channel();
    let request = Request { what, reply };
    let answered = async {
        state.requests.send(request).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, answered).await {
        Ok(Some(Ok(reply))) => Ok(answer_of(reply, in_words)),
        Ok(Some(Err(refused))) => Err(error_of(refused)),
        Ok(None) => Err(Error {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message: "rulemill is stopping".to_owned(),
        }),
        Err(_) => Err(Error {
            status: StatusCode::GATEWAY_TIMEOUT,
            message: "the rules did not answer in time; the request may still be carried out".to_owned(),
        }),
    }
}

/// `in_words`: the sentence is a member of an object.
fn answer_of(reply: Reply, in_words: bool) -> Response {
    let json = |text: String| ([(header::CONTENT_TYPE, "application/json")], text).into_response();
    match reply {
        Reply::Text(message) if in_words => axum::Json(serde_json::json!({"message": message})).into_response(),
        Reply::Text(message) => message.into_response(),
        Reply::Json(text) => json(text),
        Reply::Created(message) => (StatusCode::CREATED, message).into_response(),
        Reply::CreatedJson(text) => (StatusCode::CREATED, json(text)).into_response(),
    }
}

fn error_of(refused: RequestRefused) -> Error {
    let (status, message) = match refused {
        RequestRefused::Unknown(message) => (StatusCode::NOT_FOUND, message),
        RequestRefused::Conflict(message) => (StatusCode::CONFLICT, message),
        RequestRefused::Invalid(message) => (StatusCode::BAD_REQUEST, message),
        RequestRefused::Unprocessable(message) => (StatusCode::UNPROCESSABLE_ENTITY, message),
    };
    Error { status, message }
}
