//! The running process, as commands ask it over HTTP.

mod address;

use super::sheet::printable_lines;
use super::{ConfigArgs, Failure};
use crate::config::{self, Environment};
use crate::tls;
use anyhow::{Context as _, anyhow, bail};
use clap::Args;
pub(super) use reqwest::Method;
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;
use std::time::Duration;

/// Where the running process answers.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where to ask, such as 127.0.0.1:9081, instead of [http] of the configuration
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    server: Option<Url>,
    /// The token to send, instead of that of the configuration
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

/// A client of one running process.
#[derive(Debug)]
pub(super) struct Server {
    client: Client,
    address: Url,
    token: Option<String>,
}

/// What it answered with, when it was asked well.
#[derive(Debug)]
pub(super) enum Answer {
    /// What was asked for.
    Done(Value),
    /// There is no such thing; the sentence says which.
    NotFound(String),
}

/// What it said to something that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It was done; the answer as it is.
    Done(String),
    /// There is no such thing; the sentence says which.
    NotFound(String),
}

impl ServerArgs {
    /// A client for the process that the configuration and the flags name. Nothing is sent yet.
    ///
    /// # Errors
    /// There is no configuration that says where to ask, or it is wrong.
    pub(super) fn client(&self) -> Result<Server, Failure> {
        let (address, token) = self.whereabouts()?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls::trusting_nobody())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .build()
            .context("the HTTP client cannot be made")?;
        Ok(Server { client, address, token })
    }

    fn whereabouts(&self) -> Result<(Url, Option<String>), Failure> {
        let file = &self.config.config;
        if let Some(address) = &self.server
            && (self.token.is_some() || !file.exists())
        {
            return Ok((address.clone(), self.token.clone()));
        }
        let http = config::load_http(file, &Environment::of_process())?;
        let token = self.token.clone().or(http.as_ref().and_then(|http| http.token.clone()));
        if let Some(address) = &self.server {
            return Ok((address.clone(), token));
        }
        let listen = http.map(|http| http.listen).ok_or_else(|| {
            anyhow!(
                "{} has no section [http], so nobody answers; add it, or say where to ask with --server",
                file.display()
            )
        })?;
        Ok((address::of_listener(listen)?, token))
    }
}

impl Server {
    /// What is at this path, given as its segments.
    pub(super) async fn get(&self, path: &[&str]) -> anyhow::Result<Answer> {
        self.ask(Method::GET, path).await
    }

    /// Asks for something to be done.
    pub(super) async fn post(&self, path: &[&str]) -> anyhow::Result<Answer> {
        self.ask(Method::POST, path).await
    }

    /// Sends a body, and gives the answer as it is: a sentence, or JSON. What was refused is an error with its reason, which may
    /// have several lines.
    pub(super) async fn send(&self, method: Method, path: &[&str], body: Option<String>) -> anyhow::Result<Said> {
        let response = self.request(method, path, body).await?;
        let status = response.status();
        let body = String::from_utf8_lossy(&self.body(response).await?).into_owned();
        if status.is_success() {
            return Ok(Said::Done(body));
        }
        let answer: Option<Value> = serde_json::from_str(&body).ok();
        let message = answer.as_ref().and_then(|answer| answer["message"].as_str());
        match (status, message) {
            (StatusCode::UNAUTHORIZED, _) => bail!(self.wrong_token()),
            (StatusCode::NOT_FOUND, Some(message)) => Ok(Said::NotFound(message.to_owned())),
            (_, Some(message)) => bail!("{}", printable_lines(message)),
            (_, None) => bail!(self.stranger(status)),
        }
    }

    async fn request(&self, method: Method, path: &[&str], body: Option<String>) -> anyhow::Result<reqwest::Response> {
        let mut url = self.address.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow!("{} is no address of a server", self.address))?
            .pop_if_empty()
            .extend(path);
        let mut request = self.client.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        request.send().await.map_err(|error| self.unanswered(&error))
    }

    async fn ask(&self, method: Method, path: &[&str]) -> anyhow::Result<Answer> {
        let response = self.request(method, path, None).await?;
        let status = response.status();
        let body = self.body(response).await?;
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        let message = answer.as_ref().and_then(|answer| answer["message"].as_str());
        match (status, answer.as_ref()) {
            (StatusCode::OK, Some(_)) => Ok(Answer::Done(answer.unwrap_or_default())),
            (StatusCode::UNAUTHORIZED, _) => bail!(self.wrong_token()),
            (StatusCode::NOT_FOUND, Some(_)) if message.is_some() => {
                Ok(Answer::NotFound(message.unwrap_or_default().to_owned()))
            }
            _ => match message {
                Some(message) => bail!("{message}"),
                None => bail!(self.stranger(status)),
            },
        }
    }

    async fn body(&self, mut response: reqwest::Response) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unanswered(&error))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                bail!("the answer of {} is larger than {BODY_BYTES_MAX} bytes", self.address);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unanswered(&self, error: &reqwest::Error) -> anyhow::Error {
        let address = &self.address;
        if error.is_connect() {
            let reason = innermost(error);
            return anyhow!("nobody answers at {address}: {reason}; does rulemill run, with [http] listening there?");
        }
        if error.is_timeout() {
            return anyhow!("{address} did not answer within {} s", ANSWER_TIMEOUT.as_secs());
        }
        anyhow!("{address} did not answer as rulemill does: {}", innermost(error))
    }

    fn stranger(&self, status: StatusCode) -> String {
        let address = &self.address;
        format!("what answers at {address} is not rulemill: it says {status}, without a reason")
    }

    fn wrong_token(&self) -> String {
        let address = &self.address;
        match self.token {
            Some(_) => format!(
                "{address} does not take this token; it must be that of [http] of the running process (--config or --token)"
            ),
            None => format!("{address} wants a token: that of [http] of the running process (--config or --token)"),
        }
    }
}

/// What is at the bottom of an error: the layers above say only that a request failed.
fn innermost(error: &reqwest::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take: longer than the process itself gives up after.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);
/// The most bytes of an answer.
const BODY_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests;
