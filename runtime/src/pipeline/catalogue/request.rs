//! What is asked of the catalogue over HTTP.

use super::super::mills::MillGone;
use super::{Catalogue, Touched};
use crate::http::{Answered, Ask, GuestAction, LiveQuery, Reply, Request, RequestRefused};
use std::collections::BTreeSet;

impl Catalogue {
    /// Carries out a request and answers it.
    pub(super) async fn answer(&mut self, request: Request) -> Result<(), MillGone> {
        let Request { what, reply } = request;
        let answer = match what {
            Ask::Guest(guest, action) => self.act(&guest, action).await?,
            Ask::Define(what) => self.define(what).await?,
            Ask::Watch(LiveQuery::Start(sql)) => self.start_watching(&sql).await?,
            // Whoever fetches may wait for a moment, and nobody else for them.
            Ask::Watch(LiveQuery::Fetch(id)) => {
                self.watched.fetch(&id, reply);
                return Ok(());
            }
            Ask::Watch(LiveQuery::Stop(id)) => self.stop_watching(&id).await?,
        };
        // Whoever asked may have gone away.
        let _ = reply.send(answer);
        Ok(())
    }

    async fn act(&mut self, guest: &str, action: GuestAction) -> Result<Answered, MillGone> {
        let is_gone = self.entries.get(guest).is_none_or(|entry| entry.removed);
        if is_gone && !(action == GuestAction::Retry && self.entries.contains_key(guest)) {
            let reason = format!("there is no {guest}.wasm, no {guest}.sql and no {guest}.json in the rules directory");
            return Ok(Err(RequestRefused::Unknown(reason)));
        }
        Ok(match action {
            GuestAction::Retry => self.try_again(guest).await?.map(Reply::Text),
            GuestAction::Promote => self.promote(guest).await?.map(Reply::Text),
            GuestAction::Start => self.set_stopped(guest, false).await?,
            GuestAction::Stop => self.set_stopped(guest, true).await?,
            GuestAction::Restart => self.restart(guest).await?,
        })
    }

    /// Lifts the quarantine of a guest, and reads its file as if it were new.
    async fn try_again(&mut self, guest: &str) -> Result<Result<String, RequestRefused>, MillGone> {
        let lifted = match self.lift_quarantine(guest).await {
            Ok(lifted) => lifted,
            Err(reason) => return Ok(Err(RequestRefused::Conflict(reason))),
        };
        self.scanner.forget(guest);
        self.read_again(guest).await?;
        let refused = self.entries.get(guest).and_then(|entry| entry.refusal());
        Ok(match refused {
            Some(refused) => Err(RequestRefused::Conflict(format!(
                "{guest} is refused: {}",
                refused.reason
            ))),
            None if lifted => Ok(format!("the quarantine of {guest} is lifted, and its file is loaded")),
            None => Ok(format!("{guest} is loaded again")),
        })
    }

    /// Reads the files of a guest, whether they look new or not. Something happens only when they are new, or gone.
    pub(super) async fn read_again(&mut self, guest: &str) -> Result<(), MillGone> {
        let touched = Touched {
            ready: BTreeSet::from([guest.to_owned()]),
            ..Touched::default()
        };
        self.look(&touched).await
    }
}
