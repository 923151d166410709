//! `Jwk`: a public key of Ed25519 as JSON (RFC 7517, RFC 8037), named by its thumbprint (RFC 7638).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A public key that receipts are signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    kid: String,
    alg: &'static str,
    #[serde(rename = "use")]
    purpose: &'static str,
    #[serde(skip)]
    key: VerifyingKey,
}

impl Jwk {
    pub(super) fn new(key: &VerifyingKey) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key.as_bytes());
        // RFC 7638, section 3: the members that make the key, in order, without white space.
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        Self {
            kty: "OKP",
            crv: "Ed25519",
            kid: URL_SAFE_NO_PAD.encode(Sha256::digest(members)),
            x,
            alg: super::ALGORITHM,
            purpose: "sig",
            key: *key,
        }
    }

    /// Reads a key. Its name is computed, whatever the JSON says; members that are not needed are
    /// ignored.
    ///
    /// # Errors
    /// A sentence: what is missing or wrong.
    pub fn parse(json: &Value) -> Result<Self, String> {
        let member = |name: &str| json[name].as_str().unwrap_or_default();
        if (member("kty"), member("crv")) != ("OKP", "Ed25519") {
            return Err(r#"it is no JWK with "kty":"OKP" and "crv":"Ed25519""#.to_owned());
        }
        let x = URL_SAFE_NO_PAD.decode(member("x")).ok();
        let bytes: Option<[u8; 32]> = x.and_then(|x| x.try_into().ok());
        let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        let key = key.ok_or(r#"its "x" is no public key of Ed25519 in base64url"#)?;
        Ok(Self::new(&key))
    }

    /// The key's name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// RFC 8037, appendix A.3.
    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "of no account"});
        let key = Jwk::parse(&key).unwrap();
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let written = serde_json::to_value(&key).unwrap();
        assert_eq!(Jwk::parse(&written), Ok(key));
        for wrong in [
            json!(null),
            json!({"kty": "EC", "crv": "P-256", "x": x}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}),
            json!({"kty": "OKP", "crv": "Ed25519"}),
        ] {
            assert!(Jwk::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
