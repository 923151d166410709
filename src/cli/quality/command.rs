//! The command line of `safelight bench-quality`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

use super::damage::Damage;
use crate::{cli::with, config::EngineSettings};

/// The command with its options.
pub fn command() -> Command {
    let command = Command::new("bench-quality")
        .about("Measures how good a model is, on pictures whose truth is known");
    with::<EngineSettings>(command)
        .arg(
            Arg::new("pairs")
                .long("pairs")
                .value_name("DIR")
                .required(true)
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .help("Folder of pictures; for mattes NAME.jpg or NAME.webp with its mask NAME.png; for kind it is named after what they show"),
        )
        .arg(
            Arg::new("masks")
                .long("masks")
                .value_name("DIR")
                .action(ArgAction::Append)
                .conflicts_with("degraded")
                .value_parser(value_parser!(PathBuf))
                .help("Masks NAME.png of the pictures in --pairs, one folder for each of those: of mattes, of damage (scratch), of holes (inpaint), of faces (face-detect)"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .help("The first N pictures of each folder"),
        )
        .arg(
            Arg::new("damage")
                .long("damage")
                .value_name("KIND:LEVEL")
                .action(ArgAction::Append)
                .value_parser(value_parser!(Damage))
                .help("What is done to the pictures first: noise:SIGMA, jpeg:QUALITY, blur:SIGMA, grey, clean"),
        )
        .arg(
            Arg::new("degraded")
                .long("degraded")
                .value_name("DIR")
                .action(ArgAction::Append)
                .conflicts_with("damage")
                .value_parser(value_parser!(PathBuf))
                .help("Damaged pictures, each of the name of its clean one in --pairs; one folder for each of those"),
        )
        .arg(
            Arg::new("refine")
                .long("refine")
                .value_name("BOOL")
                .default_value("true")
                .value_parser(value_parser!(bool))
                .help("For mattes: with the refinement of edges at full resolution"),
        )
}
