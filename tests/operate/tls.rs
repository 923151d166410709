//! nginx with TLS in front, as shipped: a picture goes through and no byte of it, nor of its answer,
//! reaches a file. With its buffering switched on the same test does see files.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use super::{peer::Peer, project, with};
use crate::common::{self, pictures, spawn};

const NAME: &str = "safelight.test";

/// nginx with the shipped configuration, `change`d where a control wants that, under strace, which
/// writes every file that is opened to `opened` in its folder.
fn nginx(service: SocketAddr, change: impl Fn(&str) -> String) -> Option<Peer> {
    let strace = common::tool(&["strace"])?;
    let program = common::tool(&["nginx"])?;
    let openssl = common::tool(&["openssl"])?;
    let config = change(&project("deploy/proxy/nginx.conf"));
    let config = with(
        &config,
        "server 127.0.0.1:8080;",
        &format!("server {service};"),
    );
    Some(Peer::start("nginx", |address, folder| {
        let path = folder.display();
        common::certify(&openssl, folder, NAME);
        // A small send buffer, so that a slow reader is seen soon.
        let config = with(
            &config,
            "listen 443 ssl;",
            &format!("listen {address} ssl sndbuf=16k;"),
        );
        let config = with(&config, "/etc/nginx/tls/", &format!("{path}/"));
        // The folders of the package need not be there, and are not ours.
        let temporary: Vec<_> = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {path}/temp-{kind};"))
            .collect();
        let config = with(
            &config,
            "http {",
            &format!("http {{\n{}", temporary.join("\n")),
        );
        fs::write(folder.join("nginx.conf"), config).unwrap();
        let mut command = Command::new(&strace);
        command
            // -D: nginx is the child, and strace goes when it goes.
            .args(["-D", "-f", "-qq", "-e", "trace=open,openat,creat", "-o"])
            .arg(folder.join("opened"))
            .arg(&program)
            .args(["-p", &path.to_string(), "-c", &format!("{path}/nginx.conf")])
            .args(["-e", "stderr", "-g"])
            .arg(format!("daemon off; pid {path}/nginx.pid;"));
        command
    }))
}

/// Sends a picture of some megabytes and reads the answer slowly. Returns it with nginx's temporary
/// files that were opened.
fn cut_out(nginx: &mut Peer) -> (Vec<u8>, Vec<String>) {
    let folder = nginx.folder.clone();
    fs::write(folder.join("picture.png"), pictures::png(700, 600)).unwrap();
    // Noise does not compress: with it, question and answer are larger than any buffer.
    let noise = image::DynamicImage::ImageRgb8(pictures::noise(700, 600, 7));
    noise.save(folder.join("noise.png")).unwrap();
    let port = nginx.address.port();
    let mut curl = Command::new(common::tool(&["curl"]).expect("it is there"));
    curl.args([
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "60",
        "--limit-rate",
        "400k",
    ])
    .args(["--cacert", "tls.crt"])
    .args(["--resolve", &format!("{NAME}:{port}:127.0.0.1")])
    .args([
        "--form",
        "file=@picture.png",
        "--form",
        "background_file=@noise.png",
    ])
    .args(["--form", "format=png", "--output", "answer.png"])
    .arg(format!("https://{NAME}:{port}/v1/remove-background"))
    .current_dir(&folder)
    .stdin(Stdio::null());
    let ran = common::run(&mut curl, b"");
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stderr, nginx.log());
    let answer = fs::read(folder.join("answer.png")).unwrap();
    nginx.stop();
    let opened = fs::read_to_string(folder.join("opened")).unwrap();
    assert!(opened.contains("nginx.conf"), "strace saw nothing");
    let kept = opened.lines().filter(|line| line.contains("/temp-"));
    let kept = kept.map(str::to_owned).collect();
    (answer, kept)
}

#[test]
fn a_picture_goes_through_nginx_with_tls_and_reaches_no_file() {
    const TEST: &str = "a_picture_goes_through_nginx_with_tls_and_reaches_no_file";
    if ["curl", "nginx", "openssl", "strace"]
        .iter()
        .any(|name| common::tool(&[name]).is_none())
    {
        return common::skip(TEST, "nginx, openssl, strace and curl");
    }
    let server = spawn(&["--workers=1"]);
    let mut shipped = nginx(server.address, str::to_owned).expect("it is there");
    let (answer, kept) = cut_out(&mut shipped);
    assert_eq!(pictures::decoded(&answer).width(), 700);
    assert!(answer.len() > 500_000, "{} bytes", answer.len());
    assert_eq!(kept, Vec::<String>::new());

    let mut buffering = nginx(server.address, |config| {
        let config = with(config, "proxy_request_buffering off;", "");
        with(&config, "proxy_buffering off;", "")
    })
    .expect("it is there");
    let (_, kept) = cut_out(&mut buffering);
    for kind in ["temp-client_body", "temp-proxy"] {
        let seen = kept.iter().any(|line| line.contains(kind));
        assert!(
            seen,
            "without the switch there is a file in {kind}: {kept:?}"
        );
    }
    server.assert_books_balance();
}

#[test]
fn the_other_proxies_configurations_are_sound() {
    const TEST: &str = "the_other_proxies_configurations_are_sound";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/proxy");
    let Some(caddy) = common::tool(&["caddy"]) else {
        return common::skip(TEST, "Caddy");
    };
    let mut command = Command::new(caddy);
    let own = common::folder("caddy");
    command
        .args(["adapt", "--config", "Caddyfile"])
        .env("HOME", &own)
        .current_dir(folder);
    let ran = common::run(&mut command, b"");
    let _ = fs::remove_dir_all(own);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let config: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let config = config.to_string();
    assert!(config.contains("127.0.0.1:8080") && config.contains("\"max_size\""));
    for switch in [
        "buffer_requests",
        "request_buffers",
        "response_buffers",
        "\"logs\"",
    ] {
        assert!(!config.contains(switch), "{switch}: {config}");
    }
}
