//! Requests to the binary under test.

use crate::LIMIT;
use crate::mqtt::install_crypto;
use serde_json::Value;
use tokio::time::timeout;

/// The status and body of `GET path`; `None` while nobody listens.
pub async fn get(port: u16, path: &str) -> Option<(u16, String)> {
    install_crypto();
    let url = format!("http://127.0.0.1:{port}{path}");
    let response = timeout(LIMIT, reqwest::get(url)).await.ok()?.ok()?;
    let status = response.status().as_u16();
    Some((status, timeout(LIMIT, response.text()).await.ok()?.ok()?))
}

/// The body of `GET path` as JSON; `None` when there is none or the request was refused.
pub async fn get_json(port: u16, path: &str) -> Option<Value> {
    let (status, body) = get(port, path).await?;
    if status != 200 {
        return None;
    }
    serde_json::from_str(&body).ok()
}

/// The status and body of `POST path` without a body; `None` while nobody listens.
pub async fn post(port: u16, path: &str) -> Option<(u16, String)> {
    install_crypto();
    let url = format!("http://127.0.0.1:{port}{path}");
    let response = timeout(LIMIT, reqwest::Client::new().post(url).send())
        .await
        .ok()?
        .ok()?;
    let status = response.status().as_u16();
    Some((status, timeout(LIMIT, response.text()).await.ok()?.ok()?))
}
