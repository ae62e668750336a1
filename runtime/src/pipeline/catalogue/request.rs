//! What is asked of the catalogue over HTTP.

use super::super::mills::MillGone;
use super::{Catalogue, Touched};
use crate::http::{GuestAction, GuestRequest, RequestRefused};
use std::collections::BTreeSet;

impl Catalogue {
    /// Carries out a request and answers it.
    pub(super) async fn answer(&mut self, request: GuestRequest) -> Result<(), MillGone> {
        let GuestRequest { guest, action, reply } = request;
        let answer = if self.entries.contains_key(&guest) {
            match action {
                GuestAction::Retry => self.try_again(&guest).await?,
                GuestAction::Promote => self.promote(&guest).await?,
            }
        } else {
            let reason = format!("there is no {guest}.wasm and no {guest}.sql in the rules directory");
            Err(RequestRefused::Unknown(reason))
        };
        // Whoever asked may have gone away.
        let _ = reply.send(answer);
        Ok(())
    }

    /// Lifts the quarantine of a guest, and reads its file as if it were new.
    async fn try_again(&mut self, guest: &str) -> Result<Result<String, RequestRefused>, MillGone> {
        let lifted = match self.lift_quarantine(guest).await {
            Ok(lifted) => lifted,
            Err(reason) => return Ok(Err(RequestRefused::Conflict(reason))),
        };
        self.scanner.forget(guest);
        let touched = Touched {
            ready: BTreeSet::from([guest.to_owned()]),
            ..Touched::default()
        };
        self.look(&touched).await?;
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
}
