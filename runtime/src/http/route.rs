//! Which path gives which answer.

use super::answer::{self, Error};
use super::authorize::authorize;
use super::snapshot::RuleStatus;
use super::{GuestAction, GuestRequest, RequestRefused, Snapshot, State};
use axum::extract::{DefaultBodyLimit, Path, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The most bytes of a request's body. No answer needs one; more is refused.
const BODY_BYTES_MAX: usize = 64 << 10;

/// How long the pipeline may take for a request: it may be compiling.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// All paths. Those that tell nothing need no token, so that a supervisor can ask them.
pub(super) fn routes(state: State) -> Router {
    let open = Router::new()
        .route("/ping", get(|| async { "pong" }))
        .route("/healthz", get(|| async { "live" }));
    let guarded = Router::new()
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/rules", get(rules))
        .route("/rules/{id}", get(rule))
        .route("/rules/{id}/status", get(rule_status))
        .route("/rules/{id}/retry", post(retry))
        .route("/rules/{id}/promote", post(promote))
        .route("/functions", get(functions))
        .fallback(unknown_path)
        .layer(middleware::from_fn_with_state(state.clone(), authorize));
    open.merge(guarded)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(state)
}

async fn readyz(Shared(state): Shared<State>) -> Response {
    answer::readiness(&latest(&state).readiness)
}

async fn metrics(Shared(state): Shared<State>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], state.telemetry.encode()).into_response()
}

async fn rules(Shared(state): Shared<State>) -> Json<Value> {
    Json(answer::rules(&latest(&state)))
}

async fn rule(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let snapshot = latest(&state);
    Ok(Json(answer::rule(find(&snapshot, &id)?)))
}

async fn rule_status(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let snapshot = latest(&state);
    Ok(Json(answer::status(find(&snapshot, &id)?)))
}

async fn retry(Shared(state): Shared<State>, Path(id): Path<String>, headers: HeaderMap) -> Result<Json<Value>, Error> {
    ask(&state, id, GuestAction::Retry, &headers).await
}

async fn promote(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Error> {
    ask(&state, id, GuestAction::Promote, &headers).await
}

/// Hands a request to the pipeline and waits for its answer.
async fn ask(state: &State, guest: String, action: GuestAction, headers: &HeaderMap) -> Result<Json<Value>, Error> {
    // A browser says where a page comes from; any page could send a request without a body to a loopback address.
    if headers.contains_key(header::ORIGIN) {
        return Err(Error {
            status: StatusCode::FORBIDDEN,
            message: "requests of web pages are not carried out; use a client that sends no Origin".to_owned(),
        });
    }
    let (reply, answer) = oneshot::channel();
    let request = GuestRequest { guest, action, reply };
    let answered = async {
        state.requests.send(request).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, answered).await {
        Ok(Some(Ok(message))) => Ok(Json(json!({"message": message}))),
        Ok(Some(Err(RequestRefused::Unknown(message)))) => Err(Error {
            status: StatusCode::NOT_FOUND,
            message,
        }),
        Ok(Some(Err(RequestRefused::Conflict(message)))) => Err(Error {
            status: StatusCode::CONFLICT,
            message,
        }),
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

async fn functions(Shared(state): Shared<State>) -> Json<Value> {
    Json(answer::functions(&latest(&state)))
}

async fn unknown_path(uri: Uri) -> Error {
    Error {
        status: StatusCode::NOT_FOUND,
        message: format!("there is nothing at {}", uri.path()),
    }
}

async fn wrong_method(method: Method, uri: Uri) -> Error {
    Error {
        status: StatusCode::METHOD_NOT_ALLOWED,
        message: format!("{} does not take {method}", uri.path()),
    }
}

/// The snapshot, without holding the channel's lock while answering.
fn latest(state: &State) -> Arc<Snapshot> {
    Arc::clone(&state.snapshot.borrow())
}

fn find<'s>(snapshot: &'s Snapshot, id: &str) -> Result<&'s RuleStatus, Error> {
    let found = snapshot.rules.iter().find(|rule| &*rule.id == id);
    found.ok_or_else(|| Error {
        status: StatusCode::NOT_FOUND,
        message: format!("there is no rule {id}"),
    })
}
