//! `safelight key new`: makes an API key.

use clap::{Arg, ArgMatches, Command};

use super::{Failure, print};
use crate::http::new_key;

pub(super) fn command() -> Command {
    let id = Arg::new("id")
        .long("id")
        .value_name("ID")
        .help("Name of the key in the keys file and in counts [default: random]");
    Command::new("key")
        .about("Makes API keys")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("new")
                .about("Prints a new key, once, and the entry for the file of `serve --keys`")
                .arg(id),
        )
}

/// The key goes to standard error and the entry to standard output, so that
/// `safelight key new >> keys.toml` configures one and shows the other.
pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let matches = matches.subcommand_matches("new");
    let id = matches.and_then(|matches| matches.get_one::<String>("id"));
    let made = new_key(id.map(String::as_str)).map_err(Failure::Usage)?;
    print(&made.entry)?;
    super::tell(&format!(
        "the key, shown this once: {}\n(standard output has the entry for the keys file)",
        made.key
    ));
    Ok(())
}
