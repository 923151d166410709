//! The settings of who may ask, and how often: rates, networks, and the entries of the keys file.

use std::{fmt, fs, net::IpAddr, path::Path, str::FromStr, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;

/// So many requests in so much time: `60/min`, `5/s`, `1000/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests in a period, at least one.
    pub requests: u32,
    /// The period.
    pub period: Duration,
}

/// The periods of a rate, by their names.
const PERIODS: [(&str, u64); 3] = [("s", 1), ("min", 60), ("h", 3600)];

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a rate such as 60/min, 5/s or 1000/h".to_owned();
        let (requests, unit) = text.split_once('/').ok_or_else(wrong)?;
        let requests: u32 = requests.trim().parse().map_err(|_| wrong())?;
        let known = PERIODS.iter().find(|(name, _)| *name == unit.trim());
        let (_, seconds) = known.filter(|_| requests > 0).ok_or_else(wrong)?;
        let period = Duration::from_secs(*seconds);
        Ok(Self { requests, period })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.period.as_secs();
        let known = PERIODS.iter().find(|(_, length)| *length == seconds);
        write!(
            f,
            "{}/{}",
            self.requests,
            known.map_or("?", |(name, _)| name)
        )
    }
}

/// A network in CIDR notation, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let one = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>()
            .or_else(|_| one())
            .map(|network| Self(network.trunc()))
            .map_err(|_| "expected a network such as 10.0.0.0/8, fd00::/8 or 192.0.2.7".to_owned())
    }
}

/// One API key: what it may do. There is no setting here that could give a key another model,
/// another storage or another log, and none may be added (contract E18).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// The part of the key before its dot: 1 to 32 letters, digits, `-` and `_`.
    pub id: String,
    /// SHA-256 of the part after the dot, in hexadecimal.
    pub hash: String,
    /// The operations that it may ask for; all where there is no list.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// Requests in a period, such as `60/min`; unlimited where it is missing.
    #[serde(default, deserialize_with = "rate")]
    pub rate: Option<Rate>,
    /// Requests at once at most [default: those of a period].
    #[serde(default)]
    pub burst: Option<u32>,
    /// Megapixels of pictures in an hour; unlimited where it is missing.
    #[serde(default)]
    pub megapixels_per_hour: Option<f64>,
    /// Megapixels of pictures in a day; unlimited where it is missing.
    #[serde(default)]
    pub megapixels_per_day: Option<f64>,
    /// Megapixels of one picture, where that is less than `--max-megapixels`.
    #[serde(default)]
    pub max_megapixels: Option<f64>,
}

/// The entries stand under `[[key]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    #[serde(default)]
    key: Vec<KeyEntry>,
}

fn rate<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Rate>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Reads the file of `--keys`.
///
/// # Errors
/// A sentence that names the file, and the entry by its number or id; never anything of a hash.
pub fn read_keys(path: &Path) -> Result<Vec<KeyEntry>, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|e| format!("--keys {name}: {e}"))?;
    let file: KeysFile = toml::from_str(&text).map_err(|e| {
        // The parser's own text would quote the line, and with it perhaps a hash.
        let line = e
            .span()
            .map_or(0, |span| text[..span.start].lines().count());
        format!("--keys {name}: near line {}: {}", line.max(1), e.message())
    })?;
    if file.key.is_empty() {
        return Err(format!(
            "--keys {name}: it has no [[key]], so that nobody could ask for anything"
        ));
    }
    for (i, entry) in file.key.iter().enumerate() {
        let wrong = |why: &str| Err(format!("--keys {name}: entry {}: {why}", i + 1));
        if !is_id(&entry.id) {
            return wrong("`id` takes 1 to 32 letters, digits, - and _");
        }
        if file.key[..i].iter().any(|other| other.id == entry.id) {
            return wrong("its id is taken by an entry above it");
        }
        if entry.hash.len() != 64 || !entry.hash.bytes().all(|c| c.is_ascii_hexdigit()) {
            return wrong("`hash` takes 64 hexadecimal digits, as `safelight key new` prints them");
        }
        if entry.scopes.as_ref().is_some_and(Vec::is_empty) {
            return wrong("`scopes` is empty; leave it out to allow every operation");
        }
        if entry.burst == Some(0) || (entry.burst.is_some() && entry.rate.is_none()) {
            return wrong("`burst` takes a number above 0, beside a `rate`");
        }
        let figures = [
            entry.megapixels_per_hour,
            entry.megapixels_per_day,
            entry.max_megapixels,
        ];
        // Ten million megapixels a day are more than a machine can do, and far from an overflow.
        if figures
            .iter()
            .flatten()
            .any(|mp| !(1e-6..=1e7).contains(mp))
        {
            return wrong("megapixels are above 0 and at most 10000000");
        }
    }
    Ok(file.key)
}

/// Whether a text can be the id of a key.
pub fn is_id(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    (1..=32).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_networks_are_read_and_nonsense_is_refused() {
        let rate: Rate = "60/min".parse().unwrap();
        assert_eq!((rate.requests, rate.period.as_secs()), (60, 60));
        assert_eq!(rate.to_string(), "60/min");
        for wrong in ["60", "0/min", "60/year", "-1/s", "/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        let network: Network = "10.1.2.3/8".parse().unwrap();
        assert!(network.contains([10, 9, 9, 9].into()) && !network.contains([11, 0, 0, 1].into()));
        let one: Network = "2001:db8::1".parse().unwrap();
        assert!(one.contains("2001:db8::1".parse().unwrap()));
        assert!(!one.contains("2001:db8::2".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
    }

    #[test]
    fn a_keys_file_is_checked_to_its_last_entry_and_its_errors_repeat_no_hash() {
        let file = std::env::temp_dir().join(format!("safelight-keys-{}", std::process::id()));
        let read = |text: &str| {
            fs::write(&file, text).unwrap();
            read_keys(&file)
        };
        let hash = "ab".repeat(32);
        let good = format!("[[key]]\nid = \"shop\"\nhash = \"{hash}\"\n");
        let entry = &read(&good).unwrap()[0];
        assert_eq!(
            (entry.id.as_str(), &entry.scopes, entry.rate),
            ("shop", &None, None)
        );
        let full = format!(
            "{good}scopes = [\"inspect\"]\nrate = \"5/s\"\nburst = 9\nmegapixels_per_hour = 10\n\
             megapixels_per_day = 50.5\nmax_megapixels = 4\n"
        );
        assert_eq!(read(&full).unwrap()[0].megapixels_per_hour, Some(10.0));
        for (text, part) in [
            (String::new(), "no [[key]]"),
            (format!("{good}{good}"), "entry 2: its id is taken"),
            (format!("{good}colour = 1\n"), "unknown field `colour`"),
            (format!("{good}model = \"x\"\n"), "unknown field `model`"),
            (format!("{good}rate = \"often\"\n"), "a rate such as"),
            (format!("{good}burst = 3\n"), "beside a `rate`"),
            (format!("{good}scopes = []\n"), "`scopes` is empty"),
            (format!("{good}max_megapixels = 0.0\n"), "above 0"),
            (good.replace("shop", "a shop"), "`id` takes"),
            (good.replace("abab", "ab"), "64 hexadecimal digits"),
            (good.replace('[', ""), "near line 1"),
        ] {
            let why = read(&text).unwrap_err();
            assert!(why.contains(part) && !why.contains("abab"), "{text}: {why}");
        }
        fs::remove_file(file).unwrap();
    }
}
