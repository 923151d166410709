//! A pull over TLS: the server must be who it says.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use super::{
    Folder, catalogue,
    common::{python_tool, skip, tool},
    run,
    server::{Files, Way},
    standins,
};

/// Serves the folder that it is started in, with a certificate of its own making; says its port.
const SERVER: &str = r#"
import http.server, ssl
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            self.end_headers()
        else:
            super().do_GET()
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("leaf.pem", "leaf.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// Certificates for `localhost`: an authority, and one that it has signed.
const CERTIFICATES: &str = "set -e
curve='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $curve -keyout ca.key -out ca.pem -days 2 -subj /CN=authority
openssl req $curve -keyout leaf.key -out leaf.csr -subj /CN=localhost
printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' > leaf.ext
openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
    -extfile leaf.ext -out leaf.pem";

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn over_tls_the_server_must_be_who_it_says() {
    const TEST: &str = "over_tls_the_server_must_be_who_it_says";
    let (Some(_), Some(python)) = (tool(&["openssl"]), python_tool("python")) else {
        return skip(TEST, "openssl and Python");
    };
    let folder = Folder::new("models");
    let file = standins::matte(64, 1).file();
    folder.write("served/tiny.onnx", &file);
    let served = folder.path("served");
    let mut shell = Command::new("sh");
    let made = shell.args(["-c", CERTIFICATES]).current_dir(&served);
    let made = made.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(made.unwrap().success());
    let mut server = Command::new(python);
    let server = server.args(["-c", SERVER]).current_dir(&served);
    let server = server.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Ended(server.spawn().unwrap());
    let mut port = String::new();
    let mut said = BufReader::new(server.0.stdout.take().unwrap());
    said.read_line(&mut port).unwrap();

    let catalogue = catalogue(&folder, &file, "commercial_use = true");
    let (url, models) = (
        format!("https://localhost:{}/tiny.onnx", port.trim()),
        folder.path("models"),
    );
    let from = |url: &str, more: &[&str]| {
        let start = ["models", "pull", "tiny", "--from", url];
        let places = ["--catalogue", &catalogue, "--models-dir", &models];
        run(&[start.as_slice(), &places, more].concat())
    };
    let pull = |more: &[&str]| from(&url, more);
    let ran = pull(&[]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("invalid peer certificate"),
        "{}",
        ran.stderr
    );
    assert!(folder.files("models").is_empty());
    let (authority, key) = (folder.path("served/ca.pem"), folder.path("served/ca.key"));
    let ran = pull(&["--ca-file", &key]);
    assert!(ran.code == Some(2) && ran.stderr.contains("holds no certificate"));
    // What begins encrypted stays so.
    let base = url.trim_end_matches("/tiny.onnx");
    let plain = Files::new(&file, &[("/whole", Way::Whole)]);
    let to = |place: &str| from(&format!("{base}/to?{place}"), &["--ca-file", &authority]);
    let ran = to(&plain.url("/whole"));
    assert_eq!((ran.code, plain.requests().len()), (Some(1), 0));
    assert!(
        ran.stderr.contains("nothing is encrypted"),
        "{}",
        ran.stderr
    );
    let ran = to(&url);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    std::fs::remove_file(folder.path("models/tiny.onnx")).unwrap();
    let ran = pull(&["--ca-file", &authority]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(folder.files("models"), ["tiny.onnx"]);
}
