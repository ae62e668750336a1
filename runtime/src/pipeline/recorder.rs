//! The recorder: it puts what all sources offer, and the time that mills ask for, into one order, writes it down, and hands it to
//! the mills in that order.
//!
//! It works on a thread of its own. A delivery is accepted once it has its place in that order, also while mills are busy: what
//! has been accepted until they have room becomes one batch, as far as it fits together. So batches grow with the load,
//! nothing waits for their sake, and a slow mill holds up no acknowledgement before a bound is reached. What is offered while
//! the journal is being written is written together the next time ([`book`]).

mod accepted;
mod book;
mod sync;

pub(super) use book::{Keeping, SwitchRequest};

use super::alive::Alive;
use super::flow::{Barrier, Batch, Flow, MillQueue};
use super::journal::checkpointing::Begin;
use crate::clock;
use crate::config::OnStop;
use crate::handover::Offered;
use crate::telemetry::mill::MillMetrics;
use accepted::Accepted;
use book::{Book, Due, News};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

/// What flows into the recorder.
pub(super) struct RecorderInputs {
    /// What sources offer.
    pub(super) offers: mpsc::Receiver<Offered>,
    /// The numbers of mills that wait for the time.
    pub(super) ticks: mpsc::Receiver<usize>,
    /// Changes of code that mills are about to make.
    pub(super) switches: mpsc::Receiver<SwitchRequest>,
    /// Turns true when no source offers anything any more.
    pub(super) finish: watch::Receiver<bool>,
    /// Where everything is written down, if it is.
    pub(super) keeping: Option<Keeping>,
}

/// Puts everything into one order.
pub(super) struct Recorder {
    mills: Vec<MillQueue>,
    offers: mpsc::Receiver<Offered>,
    ticks: mpsc::Receiver<usize>,
    switches: mpsc::Receiver<SwitchRequest>,
    book: Book,
    news: News,
    accepted: Accepted,
    metrics: MillMetrics,
}

/// The mills are gone.
struct MillsGone;

/// A place in the queue of each mill that wants batches.
type Room<'m> = Vec<(usize, mpsc::Permit<'m, Flow>)>;

impl Recorder {
    /// Starts the thread. It ends, and with it the queues of the mills, when it is told to and has handed over everything.
    pub(super) fn start(
        mills: Vec<MillQueue>,
        inputs: RecorderInputs,
        metrics: MillMetrics,
        alive: Alive,
    ) -> std::io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let mut accepted = Accepted::default();
        let (book, news) = Book::open(inputs.keeping, &mut accepted)?;
        let recorder = Recorder {
            mills,
            offers: inputs.offers,
            ticks: inputs.ticks,
            switches: inputs.switches,
            book,
            news,
            accepted,
            metrics,
        };
        let finish = inputs.finish;
        std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            let _alive = alive;
            runtime.block_on(recorder.run(finish));
        })
    }

    async fn run(self, mut finish: watch::Receiver<bool>) {
        let Recorder {
            mills,
            mut offers,
            mut ticks,
            mut switches,
            mut book,
            mut news,
            mut accepted,
            metrics,
        } = self;
        let (mut open, mut coming) = (true, true);
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while coming || !accepted.is_empty() || book.is_behind() {
            metrics.waiting(accepted.rows());
            tokio::select! {
                biased;
                Some(done) = news.synced.recv() => book.synced(done),
                Some(trim) = news.trims.recv() => book.trim(trim),
                Some(switch) = switches.recv() => book.switch(&switch),
                _ = beat.tick(), if book.is_kept() => {
                    book.pass_time(&mut accepted);
                    for due in book.due_ticks() {
                        tick_late(&mills, due, &mut book);
                    }
                    if let Some(room) = book.checkpoint_due().then(|| room_now(&mills)).flatten() {
                        checkpoint((&mut book, &accepted), room, OnStop::Keep, mills.len());
                    }
                }
                room = room(&mills), if book.is_well() && (!accepted.is_empty() || book.has_batch()) => match room {
                    Ok(room) => {
                        let batch = book.make_batch(&mut accepted);
                        write_and_hand_over(&mut book, batch, Some(room));
                    }
                    Err(MillsGone) => return,
                },
                offered = offers.recv(), if coming && accepted.has_room() && book.has_room() => match offered {
                    Some(offered) => {
                        book.take(offered, &mut accepted);
                        while accepted.has_room() && book.has_room() && let Ok(offered) = offers.try_recv() {
                            book.take(offered, &mut accepted);
                        }
                        // A batch that can leave at once is written together with its messages.
                        let room = room_now(&mills).filter(|_| book.is_well());
                        let batch = room.as_ref().and_then(|_| book.make_batch(&mut accepted));
                        write_and_hand_over(&mut book, batch, room);
                    }
                    None => coming = false,
                },
                Some(mill) = ticks.recv() => tick(&mills, mill, &mut book),
                () = finished(&mut finish), if open => {
                    open = false;
                    offers.close();
                }
            }
        }
        metrics.waiting(0);
        let ended = last_checkpoint((&mut book, &accepted), &mills, &mut news, &mut switches).await;
        if ended.is_ok() {
            book.close();
        }
    }
}

/// Writes what was appended; then a batch may leave. One that could not be written is the next one.
fn write_and_hand_over(book: &mut Book, batch: Option<Batch>, room: Option<Room<'_>>) {
    match (book.write(), room) {
        (true, Some(room)) => hand_over(batch, room, book),
        (true, None) => {}
        (false, _) => book.keep_batch(batch),
    }
}

/// Takes the last checkpoint, while the mills still work: nothing comes after it.
async fn last_checkpoint(
    (book, accepted): (&mut Book, &Accepted),
    mills: &[MillQueue],
    news: &mut News,
    switches: &mut mpsc::Receiver<SwitchRequest>,
) -> Result<(), MillsGone> {
    let Some(on_stop) = book.on_stop() else {
        return Ok(());
    };
    let mut asked = false;
    loop {
        if asked && !book.is_checkpointing() {
            return Ok(());
        }
        tokio::select! {
            biased;
            Some(switch) = switches.recv() => book.switch(&switch),
            Some(done) = news.synced.recv() => book.synced(done),
            trim = news.trims.recv(), if book.is_checkpointing() => match trim {
                Some(trim) => book.trim(trim),
                None => return Ok(()),
            },
            room = room(mills), if !asked && !book.is_checkpointing() => {
                checkpoint((book, accepted), room?, on_stop, mills.len());
                asked = true;
            }
        }
    }
}

/// Hands a batch to the mills.
fn hand_over(batch: Option<Batch>, room: Room<'_>, book: &mut Book) {
    let Some(batch) = batch.map(Arc::new) else {
        return;
    };
    for (mill, permit) in room {
        book.handed(mill, batch.before);
        permit.send(Flow::Batch(Arc::clone(&batch)));
    }
}

/// A place in the queue of each mill that wants batches, once there is one in all of them.
async fn room(mills: &[MillQueue]) -> Result<Room<'_>, MillsGone> {
    let mut room = Vec::with_capacity(mills.len());
    for (mill, queue) in mills.iter().enumerate() {
        if let Some(sender) = queue.open() {
            room.push((mill, sender.reserve().await.map_err(|_| MillsGone)?));
        }
    }
    Ok(room)
}

/// The same, if there is one in all of them now.
fn room_now(mills: &[MillQueue]) -> Option<Room<'_>> {
    let open = mills
        .iter()
        .enumerate()
        .filter_map(|(mill, queue)| Some((mill, queue.open()?)));
    open.map(|(mill, sender)| Some((mill, sender.try_reserve().ok()?)))
        .collect()
}

/// Tells a mill the time, unless something is on its way there: that brings the time with it.
fn tick(mills: &[MillQueue], mill: usize, book: &mut Book) {
    if let Some(sender) = mills.get(mill).and_then(MillQueue::open)
        && let Ok(permit) = sender.try_reserve()
    {
        let now = clock::arrival();
        if let Some(position) = book.tick(mill, now) {
            book.handed(mill, position.saturating_sub(1));
            permit.send(Flow::Tick(now, position));
        }
    }
}

/// Tells a mill the time that could not be written before.
fn tick_late(mills: &[MillQueue], due: Due, book: &mut Book) {
    match due {
        Due::Asked(mill) => tick(mills, mill, book),
        Due::Placed(mill, now, position) => {
            let sender = mills.get(mill).and_then(MillQueue::open);
            match sender.map(mpsc::Sender::try_reserve) {
                Some(Ok(permit)) => {
                    book.handed(mill, position.saturating_sub(1));
                    permit.send(Flow::Tick(now, position));
                }
                Some(Err(_)) => book.keep_tick(due),
                None => {}
            }
        }
    }
}

/// Lets the mills say what their state is, after everything that was handed to them.
fn checkpoint((book, accepted): (&mut Book, &Accepted), room: Room<'_>, windows: OnStop, mills: usize) {
    let (states, answers) = mpsc::channel(room.len().max(1));
    let begin = Begin {
        position: book.position(accepted, mills),
        expected: room.len(),
        states: answers,
        begun: clock::monotonic(),
    };
    if !book.begin_checkpoint(begin) {
        return;
    }
    let barrier = Arc::new(Barrier { states, windows });
    for (_, permit) in room {
        permit.send(Flow::Checkpoint(Arc::clone(&barrier)));
    }
}

async fn finished(finish: &mut watch::Receiver<bool>) {
    // An error means that nobody is left who could say so.
    let _ = finish.wait_for(|finish| *finish).await;
}

/// How often the book looks at what is due.
const BEAT: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
