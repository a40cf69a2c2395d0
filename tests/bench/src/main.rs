//! Load for a mail server, from outside: rates, latencies and memory, one line of JSON for each run.
//!
//! Invariants: every answer is read and checked, a refusal or a wrong answer ends the run with an error and gives no
//! figure; nothing here knows how the server works inside, only what its TOML says (`target.rs`). `tests/bench/run`
//! and `tests/bench/compare` start servers and call this.

mod change;
mod corpus;
mod fill;
mod flags;
mod growth;
mod idle;
mod inbound;
mod large;
mod lists;
mod push;
mod report;
mod search;
mod session;
mod sync;
mod target;
mod wire;

use flags::Flags;
use std::process::ExitCode;

const USAGE: &str = "congthu-bench COMMAND --server TOML --FLAG VALUE …
  hello                                                            what TLS and which capabilities the server has
  restart                                                          the TOML's restart command
  inbound  --size 4k --recipients 1 --connections 8 --seconds 10   rate of acknowledged messages over SMTP, then until visible
  fanout   --size 5m --recipients 500                              one message to many, then the same attachment forwarded
  push     --count 200                                             from the end of a message to EXISTS in IDLE
  submit   --count 50 [--distinct 1] [--user ADDRESS]             STARTTLS + AUTH: a fresh connection's submission, a kept one's
  login    --count 50 --folder F [--distinct 1] [--user ADDRESS]  connection, LOGIN, SELECT
  fill     --folder F --messages 10000 [--size 1m]                 a folder of known messages, by APPEND
  append   --size 4k --count 200                                   APPEND alone, and on eight connections
  lists    --folder F --messages N --when first|cold|warm          FETCH of flags, envelopes, structures of all; the newest 50
  bodies   --folder F --messages N [--size 1m]                     every body, MB/s
  search   --folder F --messages N [--only body]                   SEARCH of headers and text
  change   --folder F --messages N                                 COPY, STORE, MOVE, EXPUNGE
  sync     --folder F --messages N --when first                    a first synchronisation as Thunderbird does it
  resync   --folder F                                              the next one
  growth   --folder F --messages N                                 grows the folder, then SELECT, the last 50, APPEND, SEARCH
  idle     --sessions 5000                                         memory per idle TLS IMAP session
  large    --count 64 --size 50m                                   memory while large messages arrive at once";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(command) = words.next() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let outcome = Flags::parse(words).and_then(|flags| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(run(&command, &flags))
    });
    match outcome {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("congthu-bench {command}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: &str, flags: &Flags) -> wire::Outcome<String> {
    match command {
        "hello" => session::hello(flags).await,
        "restart" => flags.target()?.restart().map(|()| "{}".to_owned()),
        "inbound" => inbound::run(flags).await,
        "fanout" => large::fanout(flags).await,
        "push" => push::run(flags).await,
        "submit" => session::submit(flags).await,
        "login" => session::login(flags).await,
        "fill" => fill::fill(flags).await,
        "append" => fill::append(flags).await,
        "lists" => lists::lists(flags).await,
        "bodies" => lists::bodies(flags).await,
        "search" => search::search(flags).await,
        "change" => change::change(flags).await,
        "sync" => sync::first(flags).await,
        "resync" => sync::again(flags).await,
        "growth" => growth::growth(flags).await,
        "idle" => idle::run(flags).await,
        "large" => large::concurrent(flags).await,
        other => Err(format!("no command {other}\n{USAGE}").into()),
    }
}
