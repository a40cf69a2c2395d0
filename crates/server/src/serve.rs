//! `congthu serve`: everything up, until told to stop; then everything down, in order.
//!
//! Invariants: nothing is listened on before the database is ready; on SIGTERM or SIGINT no new connection is
//! taken, those that are open get [`DRAIN_MAX`] to end, and Postgres stops last, also when it is only starting; a second
//! signal ends the wait for connections; SIGHUP changes certificates and tables of countries and nothing else.

use crate::config::{Config, Protocol};
use crate::demo;
use crate::doors::{self, Doors, Watched};
use crate::files;
use crate::monitoring::Monitoring;
use crate::node::Node;
use crate::ordering;
use crate::outbound;
use crate::sockets;
use crate::system::{OsRng, SystemClock};
use crate::tls::{Certificates, Listeners, PUBLIC_FILE};
use anyhow::{Context as _, Result, bail};
use engine::Engine;
use std::io::Write as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long open connections may take to end: longer than a client needs to read a goodbye, shorter than a
/// supervisor's patience (systemd's is 90 s).
const DRAIN_MAX: Duration = Duration::from_secs(20);
/// How often a self-signed certificate's age is looked at; it is renewed weeks before its end.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(12 * 3600);

/// Serves until a signal says stop; a demo province is seeded first where one is given.
///
/// # Errors
/// When the start fails; the text says what to do.
pub(crate) async fn run(config: &Config, province: Option<&demo::Province>) -> Result<()> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    // Before the first thing that counts something.
    let monitoring = Monitoring::start()?;
    let Some(node) = start(config, &mut signals).await? else { return Ok(()) };
    let served = serve(config, &node, province, monitoring, &mut signals).await;
    node.close().await;
    tracing::info!("stopped");
    served
}

/// The open installation; none when a signal said stop before it was ready.
async fn start(config: &Config, signals: &mut Signals) -> Result<Option<Node>> {
    let stop = CancellationToken::new();
    let mut starting = pin!(Node::serve(config, &stop));
    let name = tokio::select! {
        node = &mut starting => return node.map(Some),
        name = signals.stop.asked() => name,
    };
    tracing::info!(signal = name, "stopping before the start is complete");
    stop.cancel();
    match starting.await {
        Ok(node) => node.close().await,
        Err(error) => tracing::info!("the start was given up: {error:#}"),
    }
    tracing::info!("stopped");
    Ok(None)
}

async fn serve(
    config: &Config,
    node: &Node,
    province: Option<&demo::Province>,
    monitoring: Monitoring,
    signals: &mut Signals,
) -> Result<()> {
    let certificates = Certificates::load(config, Arc::new(SystemClock))?;
    let orders = ordering::orders(config)?;
    if orders.is_some() {
        ordering::take(&node.engine, &certificates).await;
    }
    let specs = config.listener_specs();
    let asked = specs.iter().map(|spec| spec.callers.certificates());
    let (listeners, settings) = Listeners::new(&certificates, asked)?;
    let bound = sockets::bind_all(&specs)?;
    if let Some(province) = province {
        tokio::select! {
            seeded = province.seed(&node.engine) => seeded?,
            name = signals.stop.asked() => {
                tracing::info!(signal = name, "stopping; the next start goes on with the demo's mailboxes");
                return Ok(());
            }
        }
    }
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let fallen = CancellationToken::new();
    let watched = Watched::new(shutdown.clone(), fallen.clone());
    equip(config, &node.engine)?;
    work_behind(config, node, watched, (&tasks, &shutdown));
    tasks.spawn(monitoring.clone().upkeep(shutdown.clone()));
    tasks.spawn(Monitoring::watch_search(node.engine.clone(), shutdown.clone()));
    let (limits, engine) = (files::fitting(&config.limits), node.engine.clone());
    let (gate, imap_places) = (doors::gate(&limits), doors::imap_places(&limits));
    let page = monitoring.page(engine.clone(), Arc::clone(&gate), Arc::clone(&certificates));
    let metrics = web::Metrics { networks: config.metrics_networks.clone(), page: Arc::new(page) };
    let doors = Doors {
        engine,
        gate,
        scrutiny: outbound::scrutiny(config)?,
        imap_places,
        metrics,
        servers: config.servers(),
        challenges: ordering::challenges(&config.acme, &node.engine),
        home: config.home(),
        tasks: tasks.clone(),
        shutdown: shutdown.clone(),
        fallen: fallen.clone(),
    };
    for (listener, settings) in bound.into_iter().zip(&settings) {
        doors.open(listener, settings);
    }
    // An authority looks for what the doors show.
    if let Some(orders) = orders {
        let with = (config.clone(), node.engine.clone(), Arc::clone(&certificates));
        tasks.spawn(ordering::run(orders, with, shutdown.clone()));
    }
    tracing::info!(hostname = config.hostname(), "serving");
    greet(config, node, province, &certificates).await;
    let has_fallen = tokio::select! {
        () = wait_for_stop(signals, (&certificates, &listeners), (config, &node.engine)) => false,
        () = fallen.cancelled() => true,
    };
    drain(signals, &tasks, &shutdown).await;
    if has_fallen {
        bail!("a part of the server ended by itself; the log says which: start congthu again, and report it");
    }
    Ok(())
}

/// Whom the engine of a server asks besides; the scanners every node has.
fn equip(config: &Config, engine: &Engine) -> Result<()> {
    engine.use_countries(config.countries()?);
    engine.use_clouds(config.clouds());
    crate::outbound::let_ask(engine, config);
    Ok(())
}

/// Tells whoever started it what there is.
async fn greet(config: &Config, node: &Node, province: Option<&demo::Province>, certificates: &Certificates) {
    if !config.serves_password_page() {
        let page = config.password_page();
        tracing::warn!(
            page,
            "no listener serves the page where users change their passwords; see congthu check"
        );
    }
    let said = match province {
        Some(province) => province.greeting(config),
        None => what_next(config, node, certificates).await,
    };
    // Nobody may be listening; that is no reason to stop.
    let _ = std::io::stdout().write_all(said.as_bytes());
}

/// What is done by itself: keeping house, and sending what is for other domains. Reading and receiving do not wait for it.
fn work_behind(
    config: &Config,
    node: &Node,
    watched: Watched,
    (tasks, shutdown): (&TaskTracker, &CancellationToken),
) {
    node.engine.use_learner(config.scan.learner());
    let (engine, stop) = (node.engine.clone(), shutdown.clone());
    tasks.spawn(async move {
        engine.run_housekeeping(stop).await;
        drop(watched);
    });
    match outbound::carrier(config, &node.engine, Arc::new(OsRng)) {
        Ok(carrier) => drop(tasks.spawn(smtp::runner::run(node.engine.clone(), carrier, shutdown.clone()))),
        Err(error) => tracing::error!(error = format!("{error:#}"), "mail for other domains waits"),
    }
}

async fn wait_for_stop(
    signals: &mut Signals,
    (certificates, listeners): (&Certificates, &Listeners),
    (config, engine): (&Config, &Engine),
) {
    let mut check = tokio::time::interval(CERTIFICATE_CHECK);
    check.tick().await;
    loop {
        tokio::select! {
            name = signals.stop.asked() => {
                tracing::info!(signal = name, "stopping: no new connections, open ones may finish");
                return;
            }
            _ = signals.reload.recv() => {
                reload(certificates);
                reload_clients(listeners);
                reload_countries(config, engine);
            }
            _ = check.tick() => if certificates.is_self_signed() { reload(certificates) },
        }
    }
}

fn reload(certificates: &Certificates) {
    match certificates.reload() {
        Ok(()) => {
            metrics::counter!("congthu_certificate_reloads_total", "result" => "ok").increment(1);
            tracing::info!("certificates loaded");
        }
        Err(error) => {
            metrics::counter!("congthu_certificate_reloads_total", "result" => "failed").increment(1);
            tracing::error!("the new certificates are not used, the old ones stay: {error:#}");
        }
    }
}

/// Who vouches for clients.
fn reload_clients(listeners: &Listeners) {
    match listeners.reload() {
        Ok(0) => {}
        Ok(count) => tracing::info!(listeners = count, "who vouches for clients was read again"),
        Err(error) => tracing::error!("who vouched for clients still does: {error:#}"),
    }
}

/// By the files that the configuration named at the start.
fn reload_countries(config: &Config, engine: &Engine) {
    match config.countries() {
        Ok(countries) if countries.is_empty() => {}
        Ok(countries) => {
            tracing::info!(ranges = countries.ranges(), "tables of countries loaded");
            engine.use_countries(countries);
        }
        Err(error) => tracing::error!("the new tables of countries are not used, the old ones stay: {error}"),
    }
}

async fn drain(signals: &mut Signals, tasks: &TaskTracker, shutdown: &CancellationToken) {
    shutdown.cancel();
    tasks.close();
    tokio::select! {
        () = tasks.wait() => tracing::info!("every connection has ended"),
        () = tokio::time::sleep(DRAIN_MAX) => {
            tracing::warn!(open = tasks.len(), "some connections did not end in time and are cut");
        }
        _ = signals.stop.asked() => tracing::warn!(open = tasks.len(), "asked again: connections are cut"),
    }
}

/// For a person at the first start: an installation without a domain takes no mail.
async fn what_next(config: &Config, node: &Node, certificates: &Certificates) -> String {
    if !node.engine.domains(&engine::Actor::system("serve")).await.is_ok_and(|domains| domains.is_empty()) {
        return String::new();
    }
    let file = config.file.as_ref().map(|file| format!(" --config {}", file.display())).unwrap_or_default();
    let mut text = format!(
        "Công Thư is running and has no domain yet. Next:\n  congthu{file} domain add demo.gov.vn --profile an-giang\n  \
         congthu{file} mailbox add an@demo.gov.vn --name \"Nguyễn Văn An\"\n",
    );
    if certificates.is_self_signed() {
        let public = config.data_dir.join(PUBLIC_FILE);
        text += &format!(
            "Its certificate is self-signed ({}); name your own in [tls], or order one in [acme].\n",
            public.display()
        );
    }
    for spec in config
        .listener_specs()
        .iter()
        .filter(|spec| !matches!(spec.protocol, Protocol::Http | Protocol::Acme))
    {
        let (protocol, bind) = (spec.protocol.as_str(), spec.bind.to_string());
        text += &format!("  {protocol:<10} {bind:<21} tls {}\n", spec.tls.as_str());
    }
    if config.serves_password_page() {
        text += &format!("  passwords  {}\n", config.password_page());
    }
    text
}

/// The signals we answer to.
#[derive(Debug)]
struct Signals {
    stop: Stop,
    reload: Signal,
}

#[derive(Debug)]
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let stop =
            Stop { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
        Ok(Self { stop, reload: signal(SignalKind::hangup())? })
    }
}

impl Stop {
    /// Waits for a signal that says stop; its name.
    async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
