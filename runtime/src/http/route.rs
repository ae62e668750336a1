//! Which path gives which answer.

use super::answer::{self, Error};
use super::ask;
use super::authorize::authorize;
use super::snapshot::RuleStatus;
use super::{Snapshot, State};
use axum::extract::{DefaultBodyLimit, Path, State as Shared};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::Value;
use std::sync::Arc;

/// The most bytes of a request's body: that of a query. More is refused.
const BODY_BYTES_MAX: usize = 1 << 20;

/// All paths. Those that tell nothing need no token, so that a supervisor can ask them.
pub(super) fn routes(state: State) -> Router {
    let open = Router::new()
        .route("/ping", get(|| async { "pong" }))
        .route("/healthz", get(|| async { "live" }));
    let guarded = Router::new()
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/guests", get(guests))
        .route("/guests/{id}", get(guest))
        .route("/guests/{id}/status", get(rule_status))
        .route("/rules", get(rules).post(ask::create_rule))
        .route("/rules/validate", post(ask::validate_rule))
        .route("/rules/{id}", get(rule).put(ask::replace_rule).delete(ask::drop_rule))
        .route("/rules/{id}/status", get(rule_status))
        .route("/rules/{id}/{action}", post(ask::act))
        .route("/streams", get(streams).post(ask::create_stream))
        .route(
            "/streams/{name}",
            get(stream).put(ask::replace_stream).delete(ask::drop_stream),
        )
        .route("/explain", post(ask::explain))
        .route("/queries", post(ask::start_query))
        .route("/queries/{id}", get(ask::fetch_query).delete(ask::stop_query))
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

async fn guests(Shared(state): Shared<State>) -> Json<Value> {
    Json(answer::guests(&latest(&state)))
}

async fn guest(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let snapshot = latest(&state);
    Ok(Json(answer::guest(find(&snapshot, &id)?)))
}

async fn rules(Shared(state): Shared<State>) -> Json<Value> {
    Json(answer::rules(&latest(&state)))
}

/// A rule file as it is written, or what a guest is.
async fn rule(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Response, Error> {
    let snapshot = latest(&state);
    let rule = find(&snapshot, &id)?;
    Ok(match &rule.document {
        Some(document) => ([(header::CONTENT_TYPE, "application/json")], document.to_string()).into_response(),
        None => Json(answer::guest(rule)).into_response(),
    })
}

async fn streams(Shared(state): Shared<State>) -> Json<Value> {
    let snapshot = latest(&state);
    Json(snapshot.streams.iter().map(|stream| stream.name.clone()).collect())
}

async fn stream(Shared(state): Shared<State>, Path(name): Path<String>) -> Result<Json<Value>, Error> {
    let snapshot = latest(&state);
    let found = snapshot.streams.iter().find(|stream| stream.name == name);
    let found = found.ok_or_else(|| Error {
        status: StatusCode::NOT_FOUND,
        message: format!("there is no stream {name}"),
    })?;
    Ok(Json(found.description.clone()))
}

async fn rule_status(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let snapshot = latest(&state);
    Ok(Json(answer::status(find(&snapshot, &id)?)))
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
