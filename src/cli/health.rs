//! `safelight health`: asks a running service whether it is ready, for containers without a shell.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use clap::{Arg, ArgMatches, Command, value_parser};

use super::Failure;

pub(super) fn command() -> Command {
    Command::new("health")
        .about("Asks a running service whether it is ready")
        .arg(
            Arg::new("address")
                .long("address")
                .env("SAFELIGHT_HEALTH")
                .default_value("127.0.0.1:8080")
                .value_parser(value_parser!(SocketAddr))
                .help("Address of the service"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some(address) = matches.get_one::<SocketAddr>("address") else {
        return Err(Failure::Usage("name an address".to_owned()));
    };
    match ask(*address) {
        Ok(answer) if answer.starts_with(READY) => Ok(()),
        Ok(_) => Err(Failure::Failed(format!("{address} is not ready"))),
        Err(e) => Err(Failure::Failed(format!("{address} does not answer: {e}"))),
    }
}

/// How the answer of a service begins that is ready.
const READY: &[u8] = b"HTTP/1.1 200 ";

/// Whether a service of ours answers there that is ready.
pub(super) fn is_ready(address: SocketAddr) -> bool {
    ask(address).is_ok_and(|answer| answer.starts_with(READY) && answer.ends_with(b"\nready\n"))
}

/// One request that ends its connection needs no client library.
fn ask(address: SocketAddr) -> std::io::Result<Vec<u8>> {
    let limit = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    write!(
        stream,
        "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(answer)
}
