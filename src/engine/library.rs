//! `Library`: every model that is known, and where its file is on this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    catalogue,
    manifest::{self, Entry},
};
use crate::{
    config::{ModelChoice, ModelSettings, rembg_folders},
    digest,
};

/// Where the file of a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Part of the program.
    BuiltIn,
    /// Where the operator says: `--model NAME=FILE`.
    Named(PathBuf),
    /// In the folder of the models that were pulled.
    Pulled(PathBuf),
    /// In a folder of rembg.
    Rembg(PathBuf),
    /// Nowhere on this machine.
    Nowhere,
}

impl Place {
    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Named(file) | Self::Pulled(file) | Self::Rembg(file) => Some(file),
            Self::BuiltIn | Self::Nowhere => None,
        }
    }
}

/// The models of the catalogue, and those that the operator added.
#[derive(Debug)]
pub struct Library {
    entries: BTreeMap<String, Entry>,
    named: BTreeMap<String, PathBuf>,
    /// Those that only a card beside the operator's file describes.
    cards: BTreeSet<String>,
    folder: Option<PathBuf>,
    rembg: Vec<PathBuf>,
}

impl Library {
    /// Reads the catalogue, the operator's own, and the cards of their own files.
    ///
    /// # Errors
    /// A sentence: a file cannot be read or is wrong, a name is unknown.
    pub fn open(settings: &ModelSettings) -> Result<Self, String> {
        let mut all = catalogue::catalogue();
        if let Some(file) = &settings.catalogue {
            let wrong = |e: String| format!("--catalogue {}: {e}", file.display());
            let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
            all.extend(catalogue::further(&text).map_err(wrong)?);
        }
        // Later ones win: those of the operator.
        let mut entries: BTreeMap<_, _> = all.into_iter().map(|e| (e.name.clone(), e)).collect();
        let (mut named, mut cards) = (BTreeMap::new(), BTreeSet::new());
        for ModelChoice { name, file } in &settings.model {
            if let Some(file) = file {
                match entries.get_mut(name) {
                    // What the operator names instead is taken as it is.
                    Some(entry) => entry.sha256.clear(),
                    None => {
                        entries.insert(name.clone(), own_entry(name, file)?);
                        cards.insert(name.clone());
                    }
                }
                if let Some(entry) = entries.get_mut(name) {
                    entry.bytes = file.metadata().map_or(0, |m| m.len());
                }
                named.insert(name.clone(), file.clone());
            } else if !entries.contains_key(name) {
                let known: Vec<_> = entries.keys().map(String::as_str).collect();
                return Err(format!(
                    "--model {name} is not known; known are {}",
                    known.join(", ")
                ));
            }
        }
        Ok(Self {
            entries,
            named,
            cards,
            folder: settings.folder(),
            rembg: rembg_folders(),
        })
    }

    /// Every model by name.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// One model.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Whether the licence of a model needs the operator's word. It does where a catalogue knows that
    /// it forbids commercial use; who writes a card has read the licence.
    pub fn needs_acceptance(&self, entry: &Entry) -> bool {
        !entry.commercial_use && !self.is_own(entry)
    }

    /// Whether nothing but the operator's own card describes a model.
    pub fn is_own(&self, entry: &Entry) -> bool {
        self.cards.contains(&entry.name)
    }

    /// The folder of the models that were pulled.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Where the file of a model is. It is not read: what is in it shows when it is loaded.
    pub fn place(&self, entry: &Entry) -> Place {
        if let Some(file) = self.named.get(&entry.name) {
            return Place::Named(file.clone());
        }
        if entry.built_in {
            return Place::BuiltIn;
        }
        let pulled = self
            .folder
            .iter()
            .map(|folder| folder.join(file_name(entry)));
        if let Some(file) = pulled.into_iter().find(|file| file.is_file()) {
            return Place::Pulled(file);
        }
        // rembg names a file after its session, in one folder or in one of its own.
        let session = format!("{}.onnx", entry.name);
        let names = [
            PathBuf::from(&session),
            Path::new(&entry.name).join(&session),
        ];
        let mut files = self
            .rembg
            .iter()
            .flat_map(|folder| names.iter().map(|n| folder.join(n)));
        match files.find(|file| {
            let fits = |length| match entry.bytes {
                0 => length > 0,
                known => length == known,
            };
            file.metadata().is_ok_and(|m| m.is_file() && fits(m.len()))
        }) {
            Some(file) => Place::Rembg(file),
            None => Place::Nowhere,
        }
    }
}

/// The name of a model's file among those that were pulled.
pub fn file_name(entry: &Entry) -> String {
    format!("{}.onnx", entry.name)
}

/// Reads a model's file. It must be the one whose SHA-256 the catalogue or the card states; where
/// there is none, as for a file that the operator names, the entry says what it is from then on.
///
/// # Errors
/// A sentence with the file's name.
pub fn read(entry: &mut Entry, place: &Place) -> Result<Vec<u8>, String> {
    let Some(file) = place.file() else {
        return Err(format!("model {}: it has no file", entry.name));
    };
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|e| format!("model {}: {shown}: {e}", entry.name))?;
    let found = digest::of(&bytes);
    match place {
        Place::Named(_) if entry.sha256.is_empty() => {
            (entry.sha256, entry.bytes) = (found, bytes.len() as u64);
        }
        _ if found == entry.sha256 => {}
        Place::Named(_) => {
            return Err(format!(
                "model {}: {shown} has the SHA-256 {found}, its card's is {}",
                entry.name, entry.sha256
            ));
        }
        _ => {
            return Err(format!(
                "model {}: {shown} has the SHA-256 {found}, the catalogue's is {}; `safelight \
                 models pull {}` fetches it anew",
                entry.name, entry.sha256, entry.name
            ));
        }
    }
    Ok(bytes)
}

/// The entry of an operator's own model, from the TOML file beside it.
fn own_entry(name: &str, file: &Path) -> Result<Entry, String> {
    let card = file.with_extension("toml");
    let text = std::fs::read_to_string(&card).map_err(|e| {
        format!(
            "--model {name}: {} says how to use the model: {e}",
            card.display()
        )
    })?;
    let entry = manifest::own_entry(&text).map_err(|e| format!("{}: {e}", card.display()))?;
    Ok(Entry {
        name: name.to_owned(),
        default: false,
        built_in: false,
        ..entry
    })
}
