//! The token: who does not send it is answered 401, whatever the path.

use super::State;
use super::answer::Error;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};

/// Lets a request pass when there is no token, or when it has it.
pub(super) async fn authorize(Shared(state): Shared<State>, request: Request, next: Next) -> Result<Response, Error> {
    match &state.token {
        Some(token) if !has_token(request.headers(), token) => Err(Error {
            status: StatusCode::UNAUTHORIZED,
            message: "needs the header Authorization: Bearer TOKEN, with the token of [http]".to_owned(),
        }),
        _ => Ok(next.run(request).await),
    }
}

/// Digests are compared, so that the time it takes tells nothing about the token.
fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' '));
    given.is_some_and(|(scheme, given)| {
        scheme.eq_ignore_ascii_case("bearer") && Sha256::digest(given.trim()) == Sha256::digest(token)
    })
}
