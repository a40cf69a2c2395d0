//! A crowd of IMAP clients that do whatever their dice say to the same mailboxes, and a model that knows what each of
//! them may be shown. In the spirit of imaptest, with checks that go further: every flag, number and uid that any
//! client is shown must fit one order of all that was done.
//!
//! `tests/stress/run` starts the server and calls this.

mod audit;
mod client;
mod command;
mod content;
mod linear;
mod model;
mod mutate;
mod parse;
mod search;
mod session;
mod wire;
mod world;

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;
use world::{Report, World};

const USAGE: &str = "congthu-stress run|lies --address HOST:PORT --password WORD --users A,B,… --seed N --out DIRECTORY
  run   --connections 50 --seconds 1800 [--tight KB]   the first user has a quota of so many KB, which is reached
  lies                                                 one user for each lie that the checker must find out";
/// Clients of one mailbox that is lied to.
const LIED_TO: usize = 4;
/// A lie that is not found out by then is not found out.
const LIE_SECONDS: u64 = 60;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let mut flags = HashMap::new();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        flags.insert(name.trim_start_matches("--").to_owned(), value);
    }
    let Some(worlds) = worlds(&command, &flags) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be had");
    let lies = command == "lies";
    let reports = runtime.block_on(async {
        let running: Vec<_> = worlds.into_iter().map(|world| tokio::spawn(world.run())).collect();
        let mut reports = Vec::new();
        for world in running {
            reports.push(world.await.expect("a world ends"));
        }
        reports
    });
    if reports.iter().filter(|report| !good(report, lies)).count() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Says what came of a world. A lie must have been found out, the truth must not be doubted.
fn good(report: &Report, lies: bool) -> bool {
    let first = report.faults.first().map_or("", String::as_str);
    if !lies {
        println!("{}", report.line());
        for fault in &report.faults {
            println!("FAULT {fault}");
        }
        return report.faults.is_empty();
    }
    let name = format!("{:?}", report.lie);
    match (report.skipped, report.faults.is_empty()) {
        (true, _) => println!("{name}: not tried, the server does not offer what it is about"),
        (_, true) => {
            println!("{name}: NOT FOUND OUT, told {} times in {} commands", report.lies_told, report.commands)
        }
        _ => println!("{name}: {}", first.lines().next().unwrap_or("").chars().take(150).collect::<String>()),
    }
    report.skipped || !report.faults.is_empty()
}

fn worlds(command: &str, flags: &HashMap<String, String>) -> Option<Vec<World>> {
    let number = |name: &str| flags.get(name).and_then(|value| value.parse::<u64>().ok());
    let users: Vec<String> = flags.get("users")?.split(',').map(str::to_owned).collect();
    let world = World {
        address: flags.get("address")?.clone(),
        password: flags.get("password")?.clone(),
        seed: number("seed")?,
        out: flags.get("out")?.into(),
        users: Vec::new(),
        connections: LIED_TO,
        lasting: Duration::from_secs(LIE_SECONDS),
        round: Duration::from_secs(3),
        tight_kb: 0,
        lie: None,
    };
    match command {
        "run" => Some(vec![World {
            users,
            connections: usize::try_from(number("connections")?).ok()?,
            lasting: Duration::from_secs(number("seconds")?),
            round: Duration::from_secs(8),
            tight_kb: number("tight").unwrap_or(0),
            ..world
        }]),
        "lies" => {
            let pairs = mutate::LIES.iter().zip(users);
            Some(
                pairs
                    .map(|(lie, user)| World { users: vec![user], lie: Some(*lie), ..world.clone() })
                    .collect(),
            )
        }
        _ => None,
    }
}
