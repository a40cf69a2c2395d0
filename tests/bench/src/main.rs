//! Load for a mail server, from outside: rates, latencies and memory, one line of JSON for each run.
//!
//! Invariants: every reply is read and checked, a refusal ends the run with an error; nothing here knows how the
//! server works inside. `tests/bench/run` starts the server and calls this.

mod flags;
mod idle;
mod inbound;
mod large;
mod mailbox;
mod push;
mod report;
mod wire;

use flags::Flags;
use std::process::ExitCode;

const USAGE: &str = "congthu-bench COMMAND --FLAG VALUE …
  inbound  --size 4k --recipients 1 --connections 8 --seconds 10   rate of acknowledged messages over SMTP, then until visible
  idle     --sessions 5000                                         memory per idle TLS IMAP session
  push     --rounds 200                                            from the end of a message to EXISTS in IDLE
  fill     --messages 100000 --connections 16                      many small messages into the first mailbox
  open     --messages 100000                                       SELECT and FETCH times of that mailbox
  large    --count 64 --size 50m                                   memory while large messages arrive at once
  fanout   --size 5m --recipients 500                              one message to many, then the same attachment forwarded
everywhere: --host --smtp PORT --imaps PORT --users N --user-pattern 'bench-{}@bench.test' --password --pid PID --data DIR";

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
        "inbound" => inbound::run(flags).await,
        "idle" => idle::run(flags).await,
        "push" => push::run(flags).await,
        "fill" => mailbox::fill(flags).await,
        "open" => mailbox::open(flags).await,
        "large" => large::concurrent(flags).await,
        "fanout" => large::fanout(flags).await,
        other => Err(format!("no command {other}\n{USAGE}").into()),
    }
}
