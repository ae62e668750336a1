//! The processes of a crash run, the network between them, and what each fault does to them.

use super::checker::{Checker, Witness};
use super::collector::{Collector, TOPIC};
use super::diary::Diary;
use super::rule::{FILTER, plan};
use super::schedule::{Fault, Network};
use super::sender::{Sender, Unsettled};
use crate::wait::pass;
use crate::{
    Access, Acknowledgements, Authority, Identity, Mosquitto, Observer, Proxy, Route, Rulemill, Sandbox, Traffic, Wire,
    plan_guest,
};
use fastrand::Rng;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// Everything that runs.
pub(super) struct Stage {
    pub(super) checker: Arc<Mutex<Checker>>,
    pub(super) sender: Sender,
    pub(super) rulemill: Option<Rulemill>,
    pub(super) source_proxy: Proxy,
    pub(super) sink_proxy: Proxy,
    pub(super) sandbox: Sandbox,
    collector: Collector,
    source_broker: Mosquitto,
    sink_broker: Mosquitto,
    config: String,
    rng: Rng,
}

impl Stage {
    /// Starts everything; messages flow from here on.
    pub(super) async fn set(mut rng: Rng) -> Self {
        let sandbox = Sandbox::new();
        let authority = Authority::new(&sandbox);
        let server = authority.server(&sandbox);
        let client = |name| authority.client(&sandbox, name);
        let (rulemill, proxy, subscriber) = (client("rulemill"), client("proxy"), client("subscriber"));
        let checker = Arc::<Mutex<Checker>>::default();
        let unsettled = Unsettled::default();

        let source_broker = Mosquitto::start_with(&sandbox, Access::Open, Traffic::Heavy).await;
        let route = Route {
            broker: source_broker.port,
            wire: Wire::Plain,
            seed: rng.u64(..),
            acknowledged: settling(&unsettled),
        };
        let source_proxy = Proxy::start(route).await;
        let access = Access::MutualTls {
            ca: &authority.ca,
            server: &server,
        };
        let sink_broker = Mosquitto::start_with(&sandbox, access, Traffic::Heavy).await;
        let route = Route {
            broker: sink_broker.port,
            wire: Wire::MutualTls {
                authority: &authority,
                server: &server,
                client: &proxy,
            },
            seed: rng.u64(..),
            acknowledged: witnessing(&checker),
        };
        let sink_proxy = Proxy::start(route).await;
        let collector = Collector::start(sink_broker.port, (&authority, &subscriber), Arc::clone(&checker)).await;

        sandbox.write("rules.d/crash.wasm", plan_guest(&plan()));
        let format = if rng.bool() { "array" } else { "single" };
        let config = config((source_proxy.port, sink_proxy.port), format, (&authority.ca, &rulemill));
        let rulemill = Rulemill::start(&sandbox, &config).await;
        let sender = Sender::start(source_broker.port, rng.u64(..), Arc::clone(&checker), unsettled);
        Stage {
            checker,
            sender,
            rulemill: Some(rulemill),
            source_proxy,
            sink_proxy,
            sandbox,
            collector,
            source_broker,
            sink_broker,
            config,
            rng,
        }
    }

    /// Lets messages flow for a moment.
    pub(super) async fn play(&mut self) {
        self.pass_up_to(Duration::from_millis(1800)).await;
    }

    /// Does it, and waits until what was killed runs again. What the network does takes its time meanwhile.
    pub(super) async fn suffer(&mut self, fault: Fault, diary: &mut Diary) {
        diary.note(fault);
        match fault {
            Fault::Rulemill => self.kill_rulemill(diary).await,
            Fault::RulemillAtStart => self.kill_rulemill_at_start(diary).await,
            Fault::SourceBroker => self.kill_source_broker().await,
            Fault::SinkBroker => {
                self.sink_broker.kill();
                self.restart_sink_broker().await;
            }
            Fault::SinkBrokerAndRulemill => {
                self.sink_broker.kill();
                self.kill_rulemill(diary).await;
                self.start_rulemill().await;
                self.restart_sink_broker().await;
            }
            Fault::SourceNetwork(network) => spoil(&self.source_proxy, network, &mut self.rng),
            Fault::SinkNetwork(network) => spoil(&self.sink_proxy, network, &mut self.rng),
            Fault::LostAcknowledgements => {
                let time = spoilt_for(&mut self.rng);
                self.sink_proxy.lose_acknowledgements(time);
            }
            Fault::ReorderedAcknowledgements => {
                self.sink_proxy.set_acknowledgements(Acknowledgements::Reorder);
                pass(spoilt_for(&mut self.rng)).await;
                self.sink_proxy.set_acknowledgements(Acknowledgements::Pass);
            }
        }
        self.start_rulemill().await;
        diary.note("runs again");
    }

    /// What the checker knows.
    pub(super) fn checker(&self) -> std::sync::MutexGuard<'_, Checker> {
        self.checker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn kill_rulemill(&mut self, diary: &mut Diary) {
        if let Some(mut rulemill) = self.rulemill.take() {
            rulemill.kill().await;
            diary.keep(rulemill.log());
        }
    }

    async fn kill_rulemill_at_start(&mut self, diary: &mut Diary) {
        self.kill_rulemill(diary).await;
        let moment = up_to(&mut self.rng, Duration::from_millis(600));
        // A start that is given up takes the guard of its process along. One that was quicker is killed all the same.
        if let Ok(rulemill) = timeout(moment, Rulemill::start(&self.sandbox, &self.config)).await {
            self.rulemill = Some(rulemill);
        }
        diary.note("and once more");
        self.kill_rulemill(diary).await;
    }

    async fn start_rulemill(&mut self) {
        if self.rulemill.is_none() {
            self.rulemill = Some(Rulemill::start(&self.sandbox, &self.config).await);
        }
    }

    /// The broker forgets its sessions. So devices send again what rulemill has not acknowledged, once it has subscribed;
    /// before that the broker would have nobody to keep it for.
    async fn kill_source_broker(&mut self) {
        self.source_broker.kill();
        self.sender.hold();
        self.pass_up_to(Duration::from_millis(1000)).await;
        self.source_broker.restart().await;
        self.source_broker.wait_for_subscription(FILTER).await;
        self.sender.resume();
    }

    /// The broker forgets what it acknowledged and has not delivered: the checker knows from the proxy what that was. So that
    /// this stays little, rulemill is let in once the subscriber is back.
    async fn restart_sink_broker(&mut self) {
        self.pass_up_to(Duration::from_millis(1000)).await;
        let hold = self.sink_proxy.hold();
        let before = self.collector.subscriptions();
        self.sink_broker.restart().await;
        self.collector.wait_for_subscription(before).await;
        drop(hold);
    }

    async fn pass_up_to(&mut self, max: Duration) {
        pass(up_to(&mut self.rng, max)).await;
    }
}

/// What the network does, for a while.
fn spoil(proxy: &Proxy, network: Network, rng: &mut Rng) {
    let time = spoilt_for(rng);
    match network {
        Network::Stall => proxy.stall(time),
        Network::Reset => proxy.reset(),
        Network::Cut => proxy.cut(time),
    }
}

fn spoilt_for(rng: &mut Rng) -> Duration {
    SPOILT_MIN + up_to(rng, SPOILT_MAX - SPOILT_MIN)
}

fn up_to(rng: &mut Rng, max: Duration) -> Duration {
    max.mul_f64(rng.f64())
}

fn settling(unsettled: &Unsettled) -> Observer {
    let unsettled = Arc::clone(unsettled);
    Arc::new(move |payload| Sender::settled(&unsettled, payload))
}

fn witnessing(checker: &Arc<Mutex<Checker>>) -> Observer {
    let checker = Arc::clone(checker);
    Arc::new(move |payload| {
        let mut checker = checker.lock().unwrap_or_else(PoisonError::into_inner);
        checker.known(&String::from_utf8_lossy(payload), Witness::Broker);
    })
}

fn config((source, sink): (u16, u16), format: &str, (ca, identity): (&Path, &Identity)) -> String {
    format!(
        r#"
        [http]
        listen = "127.0.0.1:$HTTP"
        [rules]
        default_sinks = ["out"]
        [data]
        dir = "data"
        [dead_letter]
        file = "{DEAD_LETTERS}"
        [source.default]
        server = "tcp://127.0.0.1:{source}"
        client_id = "rulemill-crash"
        qos = 1
        clean_session = false
        [sink.out]
        type = "mqtt"
        server = "ssl://127.0.0.1:{sink}"
        client_id = "rulemill-crash-out"
        topic = "{TOPIC}"
        qos = 1
        ca = "{}"
        cert = "{}"
        key = "{}"
        format = "{format}"
        id_field = "id"
        on_full = "block"
        "#,
        ca.display(),
        identity.cert.display(),
        identity.key.display(),
    )
}

/// Where rulemill says what it could not process: of a run nothing but messages that came again too late.
pub(super) const DEAD_LETTERS: &str = "dead-letter.jsonl";

/// For how long a network is spoilt: as long as some results take.
const SPOILT_MIN: Duration = Duration::from_millis(300);
const SPOILT_MAX: Duration = Duration::from_millis(1500);
