//! The HTTP service: shared state, the two listeners, start and stop.

mod batch;
mod body;
mod error;
mod guard;
mod images;
mod openapi;
mod routes;
mod service;
mod unshare;
mod upload;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::{
    App, HttpServer,
    dev::{Server, Service as _},
    http::KeepAlive,
    middleware::DefaultHeaders,
    rt::{System, net::TcpStream},
    web,
};
use socket2::SockRef;

use crate::{
    config::Settings,
    engine::Engine,
    ephemeral::{MemoryBudget, Spool},
    job::{Shared, Workers},
    observe::{Log, Metrics},
};
use guard::Gate;

pub use openapi::text as openapi_document;

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
    /// The door.
    pub gate: Gate,
    /// Whether every model ran once.
    pub ready: AtomicBool,
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
    pub fn run(
        self,
        settings: Settings,
        engine: Engine,
        spool: Spool,
        metrics: Arc<Metrics>,
        log: Log,
    ) -> std::io::Result<()> {
        let engine = Arc::new(engine);
        let budget = MemoryBudget::new(settings.engine.memory_budget_bytes(), metrics.clone());
        let workers = Workers::start(
            settings.engine.worker_count(),
            usize::from(settings.queue),
            Shared {
                engine: engine.clone(),
                budget: budget.clone(),
            },
            metrics.clone(),
        )?;
        let max_body = settings.max_upload.0.saturating_mul(2);
        let state = web::Data::new(AppState {
            gate: Gate::new(
                usize::from(settings.upload_permits),
                max_body,
                settings.max_batch_bytes(),
            ),
            ready: AtomicBool::new(false),
            settings,
            engine,
            budget,
            spool,
            workers,
            metrics,
            log,
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
    let service = service_server(bound.service, state.clone())?;
    let metrics = metrics_server(bound.metrics, state.clone())?;
    let handles = (service.handle(), metrics.handle());
    let stop = async {
        stop_signal().await;
        state
            .log
            .say("info", "stop", "no new work; what is in progress may end");
        state.gate.stop();
        state.workers.stop();
        handles.0.stop(true).await;
        handles.1.stop(false).await;
    };
    let (service, metrics, ()) = tokio::join!(service, metrics, stop);
    service.and(metrics)
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

fn service_server(listener: TcpListener, state: web::Data<AppState>) -> std::io::Result<Server> {
    let settings = state.settings.clone();
    let read_timeout = settings.read_timeout;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .configure(routes::configure)
            .wrap(default_headers())
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
    // Long enough for a client that is still sending to read why it was refused.
    .client_disconnect_timeout(Duration::from_secs(10))
    .shutdown_timeout(settings.shutdown_grace.as_secs().max(1))
    .max_connections(1024)
    .disable_signals()
    .on_connect(move |connection, _| {
        if let Some(stream) = connection.downcast_ref::<TcpStream>() {
            let socket = SockRef::from(stream);
            // Failing to set it leaves the system's own, longer time-out.
            #[cfg(target_os = "linux")]
            let _ = socket.set_tcp_user_timeout(Some(read_timeout));
            #[cfg(not(target_os = "linux"))]
            let _ = (socket, read_timeout);
        }
    });
    Ok(server.listen(listener)?.run())
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

fn metrics_server(listener: TcpListener, state: web::Data<AppState>) -> std::io::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .route("/metrics", web::get().to(service::metrics))
            .route("/healthz", web::get().to(service::live))
            .default_service(web::to(service::not_found))
            .wrap_fn(|mut request, next| {
                unshare::unshare(&mut request);
                next.call(request)
            })
    })
    .workers(1)
    .disable_signals();
    Ok(server.listen(listener)?.run())
}
