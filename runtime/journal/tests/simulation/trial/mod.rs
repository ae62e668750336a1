//! One simulation: a log, checkpoints and an outbox on one disk, through several lives that end in crashes. After each
//! crash all of it is opened again and compared with a model. A seed decides everything.

mod checkpoint_side;
mod log_side;
mod outbox_side;
mod tally;

pub(crate) use tally::Tally;

use checkpoint_side::CheckpointSide;
use log_side::LogSide;
use outbox_side::OutboxSide;
use rulemill_journal::Storage;
use rulemill_journal::log::{Durability, Sequence};
use rulemill_journal::sim::{Crash, Faults, Random, SimDisk};

/// What is to be simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Decides what is done and what goes wrong.
    pub(crate) seed: u64,
    /// The operation of the disk at which the first life ends; `None`: the seed decides.
    pub(crate) first_crash: Option<u64>,
}

/// What went against the model.
type Broken = String;

/// Why a life ends.
#[derive(Debug)]
enum End {
    /// The machine is off.
    Off,
    Broken(Broken),
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        End::Broken(broken)
    }
}

/// Carries a plan out. The error says what went against the model, and how to repeat it.
pub(crate) fn run(plan: Plan) -> Result<Tally, String> {
    let mut trial = Trial::new(plan);
    match trial.lives() {
        Ok(()) => Ok(trial.tally),
        Err(broken) => Err(format!("{plan:?}, life {}: {broken}", trial.tally.lives)),
    }
}

struct Trial {
    random: Random,
    disk: SimDisk,
    first_crash: Option<u64>,
    setting: Setting,
    tally: Tally,
    log: LogSide,
    checkpoints: CheckpointSide,
    outbox: OutboxSide,
    /// Since each of them was opened last.
    since: [Since; 3],
    ever_damaged: bool,
}

/// What goes wrong in this trial.
#[derive(Clone, Copy, Debug)]
struct Setting {
    faults: Faults,
    damage: bool,
    capacity: Option<usize>,
    durability: Option<Durability>,
}

/// What happened to a directory since it was opened with success.
#[derive(Clone, Copy, Debug, Default)]
struct Since {
    power_lost: bool,
    damaged: bool,
    /// An attempt to open it has failed, and its report is lost.
    tried: bool,
}

impl Setting {
    fn of(random: &mut Random) -> Self {
        let faults = Faults {
            short_write: 100,
            write_error: 8,
            sync_error: 8,
            read_error: 8,
            name_error: 8,
        };
        Setting {
            faults: if random.coin() { faults } else { Faults::default() },
            damage: random.below(4) == 0,
            capacity: (random.below(5) == 0).then(|| 12_000 + random.below(20_000)),
            durability: match random.below(5) {
                0 => Some(Durability::PowerLoss),
                1 => Some(Durability::ProcessCrash),
                2 => Some(Durability::None),
                _ => None,
            },
        }
    }

    fn durability(&self, random: &mut Random) -> Durability {
        self.durability.unwrap_or_else(|| match random.below(3) {
            0 => Durability::PowerLoss,
            1 => Durability::ProcessCrash,
            _ => Durability::None,
        })
    }
}

impl Trial {
    fn new(plan: Plan) -> Self {
        let mut random = Random::new(plan.seed);
        let disk = SimDisk::new(random.number());
        let setting = Setting::of(&mut random);
        disk.set_capacity(setting.capacity);
        Trial {
            log: LogSide::new(&disk),
            checkpoints: CheckpointSide::new(&disk),
            outbox: OutboxSide::new(&disk, &mut random),
            random,
            disk,
            first_crash: plan.first_crash,
            setting,
            tally: Tally::default(),
            since: [Since::default(); 3],
            ever_damaged: false,
        }
    }

    fn lives(&mut self) -> Result<(), Broken> {
        let lives = 2 + self.random.below(3);
        for life in 0..lives {
            self.tally.lives += 1;
            // The last one is only to see that all is there.
            let crash_after = match self.first_crash {
                Some(operations) if life == 0 => Some(operations),
                _ if life + 1 == lives || self.random.below(5) == 0 => None,
                _ => Some(self.random.below(250) as u64),
            };
            self.disk.crash_after(crash_after);
            match self.live() {
                Ok(()) => self.tally.first_life_ended |= life == 0,
                Err(End::Off) => self.tally.crashes += 1,
                Err(End::Broken(broken)) => return Err(broken),
            }
            self.go_down();
        }
        self.disk.set_faults(Faults::default());
        self.disk.set_capacity(None);
        match self.open() {
            Ok(()) => Ok(()),
            Err(End::Off) => Err("the machine went off by itself".to_owned()),
            Err(End::Broken(broken)) => Err(broken),
        }
    }

    /// From a start to a crash, or for as long as it takes.
    fn live(&mut self) -> Result<(), End> {
        self.open()?;
        self.disk.set_faults(self.setting.faults);
        for _ in 0..20 + self.random.below(40) {
            self.act()?;
        }
        if self.random.below(3) == 0 {
            self.log.close().map_err(|broken| self.end(broken))?;
            self.outbox.close().map_err(|broken| self.end(broken))?;
        }
        Ok(())
    }

    fn go_down(&mut self) {
        let crash = if self.random.coin() {
            Crash::Power
        } else {
            Crash::Process
        };
        self.disk.restart(crash);
        let directories = [checkpoint_side::DIRECTORY, log_side::DIRECTORY, outbox_side::DIRECTORY];
        for (since, directory) in self.since.iter_mut().zip(directories) {
            since.power_lost |= crash == Crash::Power;
            if !self.setting.damage || self.random.below(6) > 0 {
                continue;
            }
            let damaged = if self.random.below(4) > 0 {
                self.disk.flip_bit(directory)
            } else {
                self.disk.break_some_file(directory)
            };
            if damaged.is_some() {
                since.damaged = true;
                self.ever_damaged = true;
                self.tally.damaged += 1;
            }
        }
        self.tally.power_losses += u64::from(crash == Crash::Power);
    }

    /// Opens everything in the order of a start, and compares it with the models.
    fn open(&mut self) -> Result<(), End> {
        let lock = self.disk.directory("data").lock();
        if lock.is_err() {
            return Err(self.end("the directory of a process that is gone is locked".to_owned()));
        }
        self.open_checkpoints()?;
        self.open_log()?;
        self.open_outbox()
    }

    fn open_checkpoints(&mut self) -> Result<(), End> {
        let mut opened = self.without_read_errors(|trial| trial.checkpoints.open());
        for attempt in 0.. {
            match opened {
                Ok(()) => break,
                Err(error) => self.before_next_attempt(attempt, false, &error)?,
            }
            opened = self.without_read_errors(|trial| trial.checkpoints.open());
        }
        self.with_good_disk(|trial| {
            trial
                .checkpoints
                .check(trial.since[0].damaged, trial.ever_damaged, &mut trial.tally)
        })?;
        self.since[0] = Since::default();
        Ok(())
    }

    fn open_log(&mut self) -> Result<(), End> {
        let covered = self.checkpoints.position();
        let told = !std::mem::replace(&mut self.since[1].tried, true);
        let mut attempt = 0;
        loop {
            let opened = self.without_read_errors(|trial| trial.log.open(covered));
            match opened {
                Ok(()) => break,
                Err((full, error)) => self.before_next_attempt(attempt, full, &error)?,
            }
            attempt += 1;
        }
        let (since, ever) = (self.since[1], self.ever_damaged);
        let told = told && attempt == 0;
        self.with_good_disk(|trial| trial.log.check(covered, since, ever, told, &mut trial.tally))?;
        self.since[1] = Since::default();
        Ok(())
    }

    fn open_outbox(&mut self) -> Result<(), End> {
        let told = !std::mem::replace(&mut self.since[2].tried, true);
        let mut attempt = 0;
        loop {
            let opened = self.without_read_errors(|trial| trial.outbox.open());
            match opened {
                Ok(()) => break,
                Err((full, error)) => self.before_next_attempt(attempt, full, &error)?,
            }
            attempt += 1;
        }
        let (since, ever) = (self.since[2], self.ever_damaged);
        let told = told && attempt == 0;
        self.with_good_disk(|trial| trial.outbox.check(since, ever, told, &mut trial.tally))?;
        self.since[2] = Since::default();
        Ok(())
    }

    /// Something could not be opened. In the end the disk is mended, and then it must work.
    fn before_next_attempt(&mut self, attempt: u32, full: bool, error: &str) -> Result<(), End> {
        self.tally.failed_opens += 1;
        if self.disk.is_off() {
            return Err(End::Off);
        }
        if full {
            // Somebody makes space.
            self.disk.set_capacity(None);
            return Ok(());
        }
        match attempt {
            0 | 1 => Ok(()),
            2 => {
                self.disk.set_faults(Faults::default());
                Ok(())
            }
            _ => Err(End::Broken(format!("it cannot be opened on a good disk: {error}"))),
        }
    }

    fn act(&mut self) -> Result<(), End> {
        let durability = self.setting.durability(&mut self.random);
        let acted = match self.random.below(20) {
            0..=6 => self.log.append(&mut self.random, durability),
            7 => self.log.sync(),
            8 => self.log.sync_elsewhere(&mut self.random),
            9 => {
                let covered = self.checkpoints.may_trim();
                self.log.trim(covered)
            }
            10 => self.checkpoint(),
            11 => self.outbox.sync_elsewhere(),
            12 => self.outbox.rewind(),
            13 => self.outbox.commit(durability),
            14..=16 => self.outbox.push(&mut self.random, durability),
            _ => self.outbox.deliver(&mut self.random),
        };
        acted.map_err(|broken| self.end(broken))?;
        if self.disk.is_off() {
            return Err(End::Off);
        }
        self.tally.operations += 1;
        if self.log.is_broken() {
            self.tally.reopened += 1;
            if self.log.found_disk_full {
                self.tally.full += 1;
                self.checkpoint().map_err(|broken| self.end(broken))?;
            }
            self.open_log()?;
            let covered = self.checkpoints.may_trim();
            self.log.trim(covered).map_err(|broken| self.end(broken))?;
        }
        if self.outbox.is_broken() {
            self.tally.reopened += 1;
            self.open_outbox()?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), Broken> {
        let position = self.log.written();
        let disk_is_good = self.setting.faults.write_error == 0;
        let written = self.checkpoints.write(&mut self.random, position, disk_is_good)?;
        self.tally.checkpoints += u64::from(written);
        Ok(())
    }

    /// Only the log and the outbox know what to do about a read that fails, when they are open.
    fn without_read_errors<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let faults = self.disk.faults();
        self.disk.set_faults(Faults {
            read_error: 0,
            ..faults
        });
        let done = act(self);
        self.disk.set_faults(faults);
        done
    }

    fn with_good_disk(&mut self, check: impl FnOnce(&mut Self) -> Result<(), Broken>) -> Result<(), End> {
        let faults = self.disk.faults();
        self.disk.set_faults(Faults::default());
        let checked = check(self);
        self.disk.set_faults(faults);
        checked.map_err(|broken| self.end(broken))
    }

    /// A machine that is off explains everything.
    fn end(&self, broken: Broken) -> End {
        if self.disk.is_off() {
            End::Off
        } else {
            End::Broken(broken)
        }
    }
}

/// Bytes that are known by a number: they begin with it, and the rest follows from it.
fn bytes_of(id: u64) -> Vec<u8> {
    let mut random = Random::new(id);
    let length = match random.below(40) {
        0 => 600 + random.below(2500),
        1..=5 => 0,
        _ => random.below(120),
    };
    let mut bytes = id.to_le_bytes().to_vec();
    bytes.resize(8 + length, 0);
    random.fill(&mut bytes[8..]);
    bytes
}

/// The number of such bytes, if they are what belongs to it.
fn id_of(bytes: &[u8]) -> Option<u64> {
    let id = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    (bytes_of(id) == bytes).then_some(id)
}

/// Whether something that must be there may be missing: the disk is damaged, and that was told.
fn is_excused(
    sequence: Sequence,
    covered: Sequence,
    recovered: &rulemill_journal::log::Recovered,
    since: Since,
    told: bool,
) -> bool {
    let in_report = recovered.missing.iter().any(|missing| missing.contains(sequence));
    let at_end = sequence >= recovered.next && (recovered.cut_bytes > 0 || !recovered.aside.is_empty() || !told);
    since.damaged && (in_report || at_end || sequence <= covered)
}
