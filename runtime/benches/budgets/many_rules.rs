//! Three hundred rules on one stream, at 500 messages a second through the built-in listener of the real binary.

use super::broker::publish;
use super::messages::{DEVICES, payload, topic};
use super::process::{Rulemill, pause};
use super::table::Row;
use rulemill::clock;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let mut guests = vec![("text", "text".to_owned())];
    guests.extend((0..RULES).map(|number| ("device_temperature", format!("rule_{number:03}"))));
    let rulemill = Rulemill::start_with("[listener]\nmqtt = \"127.0.0.1:LISTENER\"\n", &guests)?;
    rulemill.wait_for(
        "every rule runs",
        |rulemill| Ok(rulemill.running_guests()? == RULES + 1),
    )?;
    let mut stream = TcpStream::connect(("127.0.0.1", rulemill.listener))?;
    stream.set_nodelay(true)?;
    stream.write_all(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05bench")?;
    stream.read_exact(&mut [0; 4])?;
    // Windows open in the first second.
    send(&mut stream, Duration::from_secs(1))?;
    let (cpu, began) = (rulemill.cpu()?, clock::monotonic());
    send(&mut stream, Duration::from_secs(5))?;
    let share = (rulemill.cpu()? - cpu).as_secs_f64() / clock::monotonic().duration_since(began).as_secs_f64();
    let resident = rulemill.resident_bytes()?;
    Ok(vec![Row::judged(
        format!("{RULES} rules on one stream, {PER_SECOND} messages/s"),
        format!(
            "{:.1} % of a core; {} resident",
            share * 100.0,
            super::process::megabytes(resident)
        ),
        "5 % of a core",
        share <= 0.05,
    )])
}

/// Sends evenly for so long.
fn send(stream: &mut TcpStream, time: Duration) -> std::io::Result<()> {
    let start = clock::monotonic();
    let mut packet = Vec::new();
    for number in 0.. {
        let due = start + Duration::from_secs(1) * number / PER_SECOND;
        if due >= start + time {
            break;
        }
        pause(due.saturating_duration_since(clock::monotonic()));
        let device = number as usize * 617 % DEVICES;
        packet.clear();
        publish(&mut packet, &topic(device), &payload(device), None);
        stream.write_all(&packet)?;
    }
    Ok(())
}

const RULES: usize = 300;
const PER_SECOND: u32 = 500;
