//! Streams and rules that are made, replaced and removed over HTTP. Each is a plain file in the rules directory, as somebody would
//! write it; what would not run there is not left there.

use super::super::mills::MillGone;
use super::Catalogue;
use super::files::{self, Change};
use super::queries::{compile_alone, timing_of};
use super::scan::{Form, form_of, path_of};
use crate::config::{RuleFile, Sidecar, with_id};
use crate::http::{Answered, Definition, Reply, RequestRefused};
use rulemill_sql::{Timing, render, script};
use serde_json::json;

/// What somebody sent is wrong.
fn invalid(message: impl Into<String>) -> RequestRefused {
    RequestRefused::Invalid(message.into())
}

impl Catalogue {
    /// Carries out what was asked for.
    pub(super) async fn define(&mut self, what: Definition) -> Result<Answered, MillGone> {
        match what {
            Definition::PutStream { replaces, sql } => self.put_stream(replaces.as_deref(), &sql).await,
            Definition::DropStream(name) => self.drop_stream(&name).await,
            Definition::PutRule { replaces, rule } => self.put_rule_file(replaces.as_deref(), &rule).await,
            Definition::DropRule(id) => self.drop_rule(&id).await,
            Definition::Validate(rule) => Ok(self.validate(&rule)),
            Definition::Explain(sql) => Ok(self.explain(&sql)),
        }
    }

    async fn put_stream(&mut self, replaces: Option<&str>, sql: &str) -> Result<Answered, MillGone> {
        let name = match stream_name(sql) {
            Ok(name) => name,
            Err(reason) => return Ok(Err(invalid(reason))),
        };
        let known = self.file_of_stream(&name);
        let file = match (replaces, known) {
            (Some(replaced), _) if replaced != name => {
                let message = format!("the statement is of the stream {name}, and not of {replaced}");
                return Ok(Err(invalid(message)));
            }
            (Some(_), None) => return Ok(Err(unknown_stream(&name))),
            (None, Some(file)) => {
                return Ok(Err(invalid(format!(
                    "the stream {name} is there already, in {file}.sql"
                ))));
            }
            (Some(_), Some(file)) if self.queries.contents(&file) != Some((1, false)) => {
                return Ok(Err(shared_file(&name, &file)));
            }
            (Some(_), Some(file)) => file,
            (None, None) => format!("{name}.stream"),
        };
        let mut text = sql.trim().trim_end_matches(';').to_owned();
        text.push_str(";\n");
        if replaces.is_none() && path_of(self.rules_dir(), &file, Form::Sql).exists() {
            return Ok(Err(invalid(format!(
                "{file}.sql is there already, and it is refused; mend it or remove it"
            ))));
        }
        let readers: Vec<String> = self.queries.readers(&name).into_iter().map(ToOwned::to_owned).collect();
        let running: Vec<String> = readers
            .into_iter()
            .filter(|reader| self.refusal_of(reader).is_none())
            .collect();
        let done = self.change(&file, Form::Sql, Some(text), &running).await?;
        Ok(done.map(|()| match replaces {
            None => Reply::Created(format!("Stream {name} is created.")),
            Some(_) => Reply::Text(format!("Stream {name} is replaced.")),
        }))
    }

    async fn drop_stream(&mut self, name: &str) -> Result<Answered, MillGone> {
        let Some(file) = self.file_of_stream(name) else {
            return Ok(Err(unknown_stream(name)));
        };
        if self.queries.contents(&file) != Some((1, false)) {
            return Ok(Err(shared_file(name, &file)));
        }
        let readers = self.queries.readers(name);
        if !readers.is_empty() {
            let readers = readers.join(", ");
            return Ok(Err(invalid(format!(
                "the stream {name} is read by {readers}; drop these rules first"
            ))));
        }
        let done = self.change(&file, Form::Sql, None, &[]).await?;
        Ok(done.map(|()| Reply::Text(format!("Stream {name} is dropped."))))
    }

    async fn put_rule_file(&mut self, replaces: Option<&str>, text: &str) -> Result<Answered, MillGone> {
        let rule = match RuleFile::parse(text) {
            Ok(rule) => rule,
            Err(reason) => return Ok(Err(invalid(reason))),
        };
        let id = match (replaces, &rule.id) {
            (Some(id), Some(other)) if id != other => {
                return Ok(Err(invalid(format!("the id is {other:?}, and the rule is {id}"))));
            }
            (Some(id), _) => id.to_owned(),
            (None, Some(id)) => id.clone(),
            (None, None) => return Ok(Err(invalid("id must be there: the name of the rule"))),
        };
        if let Err(reason) = files::check_name(&id) {
            return Ok(Err(invalid(format!("id: {reason}"))));
        }
        if let Err(reason) = self.try_rule(&rule, &id) {
            return Ok(Err(invalid(reason)));
        }
        let there = Form::ALL
            .into_iter()
            .find(|form| path_of(self.rules_dir(), &id, *form).exists());
        match (replaces, there) {
            (None, Some(form)) => {
                let suffix = form.suffix();
                return Ok(Err(invalid(format!("the rule {id} is there already, as {id}{suffix}"))));
            }
            (Some(_), None) => return Ok(Err(unknown_rule(&id))),
            (Some(_), Some(Form::Wasm | Form::Sql)) => {
                let message = format!("{id} is no rule file; change its file in the rules directory");
                return Ok(Err(invalid(message)));
            }
            (Some(_), Some(Form::Json)) | (None, None) => {}
        }
        let text = match with_id(text, &id) {
            Ok(text) => text,
            Err(reason) => return Ok(Err(invalid(reason))),
        };
        let done = self.change(&id, Form::Json, Some(text), &[]).await?;
        Ok(done.map(|()| match replaces {
            None => Reply::Created(format!("Rule {id} was created successfully.")),
            Some(_) => Reply::Text(format!("Rule {id} was updated successfully.")),
        }))
    }

    async fn drop_rule(&mut self, id: &str) -> Result<Answered, MillGone> {
        let form = match form_of(self.rules_dir(), id) {
            Ok(form) if files::check_name(id).is_ok() && path_of(self.rules_dir(), id, form).exists() => form,
            Ok(_) => return Ok(Err(unknown_rule(id))),
            Err(error) => return Ok(Err(invalid(error.to_string()))),
        };
        match (form, self.queries.contents(id)) {
            (Form::Wasm, _) => {
                let message = format!("{id}.wasm was put into the rules directory by somebody; remove it there");
                return Ok(Err(invalid(message)));
            }
            (Form::Sql, Some((1.., _))) => {
                let message = format!("{id}.sql defines streams too; change it in the rules directory");
                return Ok(Err(invalid(message)));
            }
            (Form::Sql | Form::Json, _) => {}
        }
        let done = self.change(id, form, None, &[]).await?;
        Ok(done.map(|()| Reply::Text(format!("Rule {id} is dropped."))))
    }

    fn validate(&self, text: &str) -> Answered {
        let unprocessable = RequestRefused::Unprocessable;
        let rule = RuleFile::parse(text).map_err(unprocessable)?;
        let id = rule.id.clone().unwrap_or_else(|| "rule".to_owned());
        let sources = self.try_rule(&rule, &id).map_err(unprocessable)?;
        Ok(Reply::Json(json!({"sources": sources, "valid": true}).to_string()))
    }

    fn explain(&self, sql: &str) -> Answered {
        let compiled = compile_alone(sql, "query", Timing::AsDefined, self.queries.known());
        let compiled = compiled.map_err(|problems| invalid(render(&problems, sql)))?;
        let plan: serde_json::Value = serde_json::from_str(&compiled.plan.to_json()).unwrap_or_default();
        let answer = json!({
            "text": compiled.outline(),
            "plan": plan,
            "kernels": compiled.kernels,
            "wasm_bytes": compiled.wasm.len(),
        });
        Ok(Reply::Json(answer.to_string()))
    }

    /// Compiles a rule file and reads its actions. Gives the streams that it reads.
    fn try_rule(&self, rule: &RuleFile, id: &str) -> Result<Vec<String>, String> {
        let sql = &rule.sql;
        let compiled = compile_alone(sql, id, timing_of(rule.timing), self.queries.known());
        compiled.map_err(|problems| render(&problems, sql))?;
        let defaults = &self.parts.deployment.defaults;
        let sidecar = Sidecar::parse(&rule.sidecar(None), &format!("{id}.toml"), defaults);
        sidecar.map_err(|bad| files::of_actions(&bad.problems.to_string(), id))?;
        let script = script(sql).map_err(|problems| render(&problems, sql))?;
        let streams = script.query.iter().flat_map(|query| {
            let joined = query.joins.iter().map(|join| &join.source.stream);
            std::iter::once(&query.from.stream).chain(joined)
        });
        Ok(streams.map(|name| name.text.clone()).collect())
    }

    /// Writes or removes a file and looks at it. When it is refused, or a rule in `running` is because of it, all is as before.
    async fn change(
        &mut self,
        name: &str,
        form: Form,
        text: Option<String>,
        running: &[String],
    ) -> Result<Result<(), RequestRefused>, MillGone> {
        let path = path_of(self.rules_dir(), name, form);
        let beside = path_of(self.rules_dir(), name, form).with_file_name(format!("{name}.toml"));
        let mut change = match text {
            Some(text) => Change::write(path, text),
            None => Change::remove(vec![path, beside]),
        };
        if let Err(error) = change.carry_out().await {
            return Ok(Err(RequestRefused::Conflict(format!(
                "the rules directory cannot be written: {error}"
            ))));
        }
        self.read_again(name).await?;
        let reason = self.refusal_of(name).or_else(|| {
            let worse = running
                .iter()
                .find_map(|reader| Some((reader, self.refusal_of(reader)?)));
            worse.map(|(reader, reason)| format!("{reader} would not run: {reason}"))
        });
        let Some(reason) = reason else {
            return Ok(Ok(()));
        };
        if let Err(error) = change.undo().await {
            tracing::error!(guest = name, %error, "a file that is refused cannot be taken away again");
        }
        self.read_again(name).await?;
        Ok(Err(invalid(reason)))
    }

    /// Why the newest version of a guest does not run, if it was refused.
    fn refusal_of(&self, name: &str) -> Option<String> {
        let entry = self.entries.get(name).filter(|entry| !entry.removed)?;
        entry.refusal().map(|refused| refused.reason.clone())
    }

    fn file_of_stream(&self, name: &str) -> Option<String> {
        let mut streams = self.queries.streams();
        let (_, file) = streams.find(|(stream, _)| stream.name == name)?;
        Some(file.to_owned())
    }

    /// Stops a rule, or lets it run: its file says so from then on.
    pub(super) async fn set_stopped(&mut self, name: &str, stopped: bool) -> Result<Answered, MillGone> {
        if stopped && self.library_of(name).is_some() {
            return Ok(Err(invalid(format!(
                "{name} is a library; rules share it, and it cannot be stopped"
            ))));
        }
        let changed = files::set_stopped(self.rules_dir(), name, stopped).await;
        if let Err(error) = changed {
            return Ok(Err(RequestRefused::Conflict(format!(
                "the file of {name} cannot be changed: {error}"
            ))));
        }
        self.read_again(name).await?;
        if let Some(reason) = self.refusal_of(name) {
            return Ok(Err(invalid(format!("{name} is refused: {reason}"))));
        }
        Ok(Ok(Reply::Text(match stopped {
            true => format!("Rule {name} was stopped."),
            false => format!("Rule {name} was started"),
        })))
    }

    /// Takes a rule away and puts it back; its open windows go as when its file is removed.
    pub(super) async fn restart(&mut self, name: &str) -> Result<Answered, MillGone> {
        if self.library_of(name).is_some() {
            return Ok(Err(invalid(format!("{name} is a library; it runs when rules call it"))));
        }
        self.remove_rule(name).await?;
        self.scanner.forget(name);
        let started = self.set_stopped(name, false).await?;
        Ok(started.map(|_| Reply::Text(format!("Rule {name} was restarted."))))
    }

    fn rules_dir(&self) -> &std::path::Path {
        &self.parts.deployment.rules.dir
    }
}

/// The name of the one stream that a statement defines.
fn stream_name(sql: &str) -> Result<String, String> {
    let script = script(sql).map_err(|problems| render(&problems, sql))?;
    let [stream] = script.streams.as_slice() else {
        return Err("one CREATE STREAM is needed here".to_owned());
    };
    if script.query.is_some() {
        return Err("a stream is defined without a query; that makes a rule of its own".to_owned());
    }
    files::check_name(&stream.name)?;
    Ok(stream.name.clone())
}

fn unknown_stream(name: &str) -> RequestRefused {
    RequestRefused::Unknown(format!("there is no stream {name}"))
}

fn unknown_rule(id: &str) -> RequestRefused {
    RequestRefused::Unknown(format!("there is no rule {id}"))
}

fn shared_file(name: &str, file: &str) -> RequestRefused {
    invalid(format!(
        "the stream {name} stands in {file}.sql together with other things; change that file in the rules directory"
    ))
}
