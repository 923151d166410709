//! The HTTP service: shared state, the two listeners, start and stop.

mod auth;
mod b64;
mod batch;
mod body;
mod compat;
mod cors;
mod due;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod guard;
mod images;
mod linger;
mod openapi;
mod progress;
mod receipt;
mod routes;
mod service;
mod statements;
mod statuses;
mod unshare;
mod upload;

use std::{
    any::Any,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::{
    App, HttpServer,
    dev::{Extensions, Server, Service as _},
    http::KeepAlive,
    middleware::{Condition, DefaultHeaders},
    rt::{System, net::TcpStream},
    web::{self, Bytes},
};
use socket2::SockRef;

use crate::{
    config::Settings,
    engine::Engine,
    ephemeral::{MemoryBudget, Spool},
    job::{Shared, Workers},
    observe::{Log, Metrics},
    privacy::Notice,
    receipt::Signer,
};
use guard::Gate;
use linger::Lingering;
use progress::Board;

pub use auth::{Access, NewKey, Reloaded, Source, new_key};
pub use openapi::text as openapi_document;

/// Time for the last bytes of answers that are written, at the end of the service.
const FAREWELL: Duration = Duration::from_secs(2);

/// What every request shares. Built once; each server thread holds the same one.
pub struct AppState {
    /// The settings.
    pub settings: Settings,
    /// The models.
    pub engine: Arc<Engine>,
    /// The memory of all jobs.
    pub budget: Arc<MemoryBudget>,
    /// Where uploads are held.
    pub spool: Spool,
    /// The queue and its threads.
    pub workers: Workers,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The log.
    pub log: Log,
    /// Who may ask, and how often.
    pub access: Access,
    /// The door.
    pub gate: Gate,
    /// The requests that can be watched.
    pub board: Arc<Board>,
    /// What signs receipts, where they are given.
    pub signer: Option<Signer>,
    /// What runs here.
    pub build: Build,
    /// The privacy notice.
    pub notice: Notice,
    /// The OpenAPI document, once it was asked for.
    pub document: OnceLock<Bytes>,
    /// Whether every model ran once.
    pub ready: AtomicBool,
}

impl AppState {
    /// Whether every model ran once, and work is taken.
    pub fn is_ready(&self) -> bool {
        !self.gate.is_stopping() && self.ready.load(Ordering::Acquire)
    }
}

/// What runs here: SHA-256 in hexadecimal, where the files can be read.
#[derive(Debug)]
pub struct Build {
    /// Of this program.
    pub program: Option<String>,
    /// Of the ONNX Runtime library.
    pub runtime: Option<String>,
}

/// What a service is made of, apart from its listeners.
pub struct Parts {
    /// The settings.
    pub settings: Settings,
    /// The models.
    pub engine: Engine,
    /// Where uploads are held.
    pub spool: Spool,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The log.
    pub log: Log,
    /// What signs receipts, where they are given.
    pub signer: Option<Signer>,
    /// What runs here.
    pub build: Build,
    /// The privacy notice.
    pub notice: Notice,
    /// Who may ask, and how often.
    pub access: Access,
}

/// Two bound listeners, not yet served.
pub struct Bound {
    service: TcpListener,
    metrics: TcpListener,
}

impl Bound {
    /// Binds both addresses, so that port 0 works and a taken port is an error before anything is
    /// loaded.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn bind(settings: &Settings) -> Result<Self, String> {
        let bind = |address: SocketAddr, flag: &str| {
            TcpListener::bind(address).map_err(|e| format!("{flag} {address}: {e}"))
        };
        Ok(Self {
            service: bind(settings.listen, "--listen")?,
            metrics: bind(settings.metrics_listen, "--metrics-listen")?,
        })
    }

    /// The addresses that were bound: service, metrics.
    pub fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.service.local_addr()?, self.metrics.local_addr()?))
    }

    /// Serves until SIGTERM or SIGINT, then lets the work in progress end.
    ///
    /// # Errors
    /// Where the system refuses threads or sockets.
    pub fn run(self, parts: Parts) -> std::io::Result<()> {
        let Parts {
            settings,
            engine,
            spool,
            metrics,
            log,
            signer,
            build,
            notice,
            access,
        } = parts;
        let engine = Arc::new(engine);
        let budget = MemoryBudget::new(settings.engine.memory_budget_bytes(), metrics.clone());
        let workers = Workers::start(
            settings.engine.worker_count(),
            (usize::from(settings.queue), settings.queue_order),
            Shared {
                engine: engine.clone(),
                budget: budget.clone(),
            },
            metrics.clone(),
        )?;
        let max_body = settings.max_body();
        let state = web::Data::new(AppState {
            gate: Gate::new(
                usize::from(settings.upload_permits),
                max_body,
                settings.max_batch_bytes(),
            ),
            board: Board::new(usize::from(settings.upload_permits)),
            ready: AtomicBool::new(false),
            settings,
            engine,
            budget,
            spool,
            workers,
            metrics,
            log,
            signer,
            build,
            notice,
            document: OnceLock::new(),
            access,
        });
        warm_up(&state)?;
        System::new().block_on(serve(self, state))
    }
}

/// Runs every model once beside the servers, which answer `/readyz` with 503 until then.
fn warm_up(state: &web::Data<AppState>) -> std::io::Result<()> {
    let state = state.clone();
    let warm = move || match state.engine.warm_up() {
        Ok(()) => {
            state.ready.store(true, Ordering::Release);
            state.log.say("info", "ready", "every model has run");
        }
        Err(why) => state.log.say("error", "ready", why),
    };
    std::thread::Builder::new()
        .name("warm-up".into())
        .spawn(warm)
        .map(drop)
}

async fn serve(bound: Bound, state: web::Data<AppState>) -> std::io::Result<()> {
    let lingering = Lingering::here();
    let service = service_server(bound.service, state.clone(), lingering.clone())?;
    let metrics = metrics_server(bound.metrics, state.clone(), lingering.clone())?;
    let handles = (service.handle(), metrics.handle());
    let stop = async {
        stop_signal().await;
        state
            .log
            .say("info", "stop", "no new work; what is in progress may end");
        state.gate.stop();
        drain(&state).await;
        handles.0.stop(true).await;
        handles.1.stop(false).await;
    };
    let ended = async { tokio::join!(service, metrics, stop) };
    let (service, metrics, ()) = tokio::select! {
        biased;
        ended = ended => ended,
        never = auth::upkeep(&state) => match never {},
    };
    state.access.tell_use(&state.log);
    lingering.end(Duration::from_secs(1)).await;
    service.and(metrics)
}

/// Lets end what was let in, while the listener is open: who comes now is answered 503, and so is a
/// look at `/readyz`. Whoever has not ended within the grace is told so.
async fn drain(state: &AppState) {
    let ended = async || {
        while state.metrics.in_flight.get() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let grace = state.settings.shutdown_grace;
    if tokio::time::timeout(grace, ended()).await.is_err() {
        state.gate.close();
        let _ = tokio::time::timeout(FAREWELL, ended()).await;
    }
}

/// Ends when the process is told to stop.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        // Without handlers the signals keep their default effect: they end the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

fn service_server(
    listener: TcpListener,
    state: web::Data<AppState>,
    lingering: Lingering,
) -> std::io::Result<Server> {
    let settings = state.settings.clone();
    let read_timeout = settings.read_timeout;
    let origins = settings.cors_origin.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .configure(|config| routes::configure(config, &state.settings.compat))
            .wrap(default_headers())
            .wrap(Condition::new(!origins.is_empty(), cors::allow(&origins)))
            .wrap_fn(|mut request, next| {
                unshare::unshare(&mut request);
                next.call(request)
            })
    })
    // An idle connection's buffer still holds the last upload, and a second head has no timeout.
    .keep_alive(KeepAlive::Disabled)
    // A client that closes its side is gone: its work stops at once.
    .h1_allow_half_closed(false)
    .client_request_timeout(settings.head_timeout)
    // Not here, where the read buffer would be held as long: see `linger`.
    .client_disconnect_timeout(Duration::ZERO)
    .shutdown_timeout(FAREWELL.as_secs())
    .max_connections(1024)
    .disable_signals()
    .on_connect(on_connect(lingering, read_timeout));
    Ok(server.listen(listener)?.run())
}

/// What happens to a socket before its first byte is read.
fn on_connect(
    lingering: Lingering,
    read_timeout: Duration,
) -> impl Fn(&dyn Any, &mut Extensions) + Clone + Send {
    move |connection, extensions| {
        if let Some(stream) = connection.downcast_ref::<TcpStream>() {
            // Failing to set it leaves the system's own, longer time-out.
            #[cfg(target_os = "linux")]
            let _ = SockRef::from(stream).set_tcp_user_timeout(Some(read_timeout));
            extensions.insert(lingering.keep(stream));
        }
    }
}

/// Headers that every answer has, unless a route has set its own.
fn default_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("Cache-Control", "no-store"))
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("Referrer-Policy", "no-referrer"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
        .add(("Content-Security-Policy", "default-src 'none'; sandbox"))
        .add(("Vary", "Accept"))
}

fn metrics_server(
    listener: TcpListener,
    state: web::Data<AppState>,
    lingering: Lingering,
) -> std::io::Result<Server> {
    let settings = state.settings.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .route("/metrics", routes::read().to(service::metrics))
            .route("/healthz", routes::read().to(service::live))
            .default_service(web::to(service::not_found))
            .wrap_fn(|mut request, next| {
                unshare::unshare(&mut request);
                next.call(request)
            })
    })
    .workers(1)
    // Whoever posts a picture to the wrong port finds the same care as on the right one.
    .keep_alive(KeepAlive::Disabled)
    .h1_allow_half_closed(false)
    .client_request_timeout(settings.head_timeout)
    .client_disconnect_timeout(Duration::ZERO)
    .disable_signals()
    .on_connect(on_connect(lingering, settings.read_timeout));
    Ok(server.listen(listener)?.run())
}
