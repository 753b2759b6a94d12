//! What a fleet is started with, as a value and as a command line.

use std::path::PathBuf;

use super::hostile::ScriptName;

/// The cluster that nodes are in unless told otherwise: that of The Waku Network (64/NETWORK).
pub const DEFAULT_CLUSTER: u16 = 1;

/// Shards of the fleet's cluster, all of which every node relays (64/NETWORK).
pub const SHARDS: u16 = 8;

/// The most nodes that one fleet may have: a peer exchange answer holds at most 60 records.
pub const MAX_NODES: usize = 64;

/// A directory that is served under a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The path, with a slash in front and none at the end, for example `/pkg`.
    pub prefix: String,
    /// The directory.
    pub dir: PathBuf,
}

/// What a fleet is started with. The same options give the same peer ids and, unless a port is 0, the same ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetOptions {
    /// Port of page, control API and resolver on 127.0.0.1; 0 for any.
    pub port: u16,
    /// The number of nodes, 1 to [`MAX_NODES`]; [`deal`](super::deal) gives them roles.
    pub nodes: usize,
    /// The scripts of hostile nodes, which come to `nodes` and count against the same limit.
    pub hostile: Vec<ScriptName>,
    /// What every key follows from.
    pub seed: u64,
    /// Port of the first node, the others follow; by default the one after `port`, or any when that is 0.
    pub node_port: Option<u16>,
    /// Whether bootstrap nodes serve what an `all` node serves.
    pub bootstrap_serves: bool,
    /// The nodes' cluster.
    pub cluster: u16,
    /// Directories that are served, the one of `/` included.
    pub mounts: Vec<Mount>,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            port: 8800,
            nodes: 8,
            hostile: Vec::new(),
            seed: 1,
            node_port: None,
            bootstrap_serves: false,
            cluster: DEFAULT_CLUSTER,
            mounts: Vec::new(),
        }
    }
}

/// Why a command line was refused; the text is for its writer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Not one of ours.
    #[error("unknown option {0}")]
    Unknown(String),
    /// Nothing stands behind it.
    #[error("{0} wants a value")]
    NoValue(&'static str),
    /// Something else stands behind it.
    #[error("{option} wants {wanted}, not {value:?}")]
    BadValue {
        /// The option.
        option: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// What it was.
        value: String,
    },
    /// The last node's port would be past 65535.
    #[error("{0} nodes do not fit between the first node's port and 65535")]
    PortsExhausted(usize),
}

/// A command line, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// Start a fleet.
    Run {
        /// With this.
        options: FleetOptions,
        /// And end when standard input does.
        until_stdin_closes: bool,
    },
    /// Print [`USAGE`].
    Help,
}

/// What `--help` prints.
pub const USAGE: &str = "\
usage: fleet [options]
  --port N              page, control API and resolver on 127.0.0.1:N; 0 for any (8800)
  --nodes N             how many nodes (8)
  --hostile A,B,…       so many more, which follow the scripts of these names:
                        silent, silent-filter, empty-payload, never-asked, flood, stall-streams, withhold, late-pushes,
                        stream-each, takes-and-drops, no-relay-peers, not-published, bad-request, busy, half-frames,
                        announces, garbage, false-entries, wrong-cursor, same-cursor, empty-pages, identify-flood,
                        no-ping, silent-ping, other-shards, other-cluster, bad-metadata, limited-30, limited-1s
  --seed N              what keys follow from (1)
  --node-port N         port of the first node; 0 for any (the one after --port)
  --cluster-id N        the nodes' cluster (1)
  --bootstrap-serves    bootstrap nodes serve everything
  --www DIR             serve DIR at /
  --pkg DIR             serve DIR at /pkg
  --mount PREFIX=DIR    serve DIR at PREFIX
  --until-stdin-closes  end when standard input ends
";

impl CommandLine {
    /// Reads the arguments behind the program's name.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, OptionsError> {
        let mut options = FleetOptions::default();
        let mut until_stdin_closes = false;
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            // `--name=value` and `--name value` are the same.
            let (name, mut inline) = match arg.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (arg, None),
            };
            let mut value = |option: &'static str| {
                inline
                    .take()
                    .or_else(|| args.next())
                    .ok_or(OptionsError::NoValue(option))
            };
            match name.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--port" => {
                    options.port = number("--port", value("--port")?, 0, u16::MAX.into())? as u16;
                }
                "--nodes" => {
                    let most = MAX_NODES as u64;
                    options.nodes = number("--nodes", value("--nodes")?, 1, most)? as usize;
                }
                "--hostile" => options.hostile = scripts(value("--hostile")?)?,
                "--seed" => options.seed = number("--seed", value("--seed")?, 0, u64::MAX)?,
                "--node-port" => {
                    let port = number("--node-port", value("--node-port")?, 0, u16::MAX.into())?;
                    options.node_port = Some(port as u16);
                }
                "--cluster-id" => {
                    let most = u16::MAX.into();
                    options.cluster =
                        number("--cluster-id", value("--cluster-id")?, 0, most)? as u16;
                }
                "--www" => options.serve(Mount {
                    prefix: "/".to_owned(),
                    dir: value("--www")?.into(),
                }),
                "--pkg" => options.serve(Mount {
                    prefix: "/pkg".to_owned(),
                    dir: value("--pkg")?.into(),
                }),
                "--mount" => options.serve(mount(value("--mount")?)?),
                "--bootstrap-serves" if inline.is_none() => options.bootstrap_serves = true,
                "--until-stdin-closes" if inline.is_none() => until_stdin_closes = true,
                _ => return Err(OptionsError::Unknown(name)),
            }
        }
        options.check()?;
        Ok(Self::Run {
            options,
            until_stdin_closes,
        })
    }
}

impl FleetOptions {
    /// Adds a directory; of two for one prefix the later counts, as with every other option.
    fn serve(&mut self, mount: Mount) {
        self.mounts.retain(|other| other.prefix != mount.prefix);
        self.mounts.push(mount);
    }

    /// Whether these options can be fulfilled at all.
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.nodes == 0 || self.all_nodes() > MAX_NODES {
            return Err(OptionsError::BadValue {
                option: "--nodes",
                wanted: "a number from 1 to 64",
                value: self.all_nodes().to_string(),
            });
        }
        match self.first_node_port() {
            0 => Ok(()),
            first if u32::from(first) + self.all_nodes() as u32 - 1 <= u16::MAX.into() => Ok(()),
            _ => Err(OptionsError::PortsExhausted(self.all_nodes())),
        }
    }

    /// Hostile nodes included.
    fn all_nodes(&self) -> usize {
        self.nodes + self.hostile.len()
    }

    /// The first node's port, 0 for any.
    pub(crate) fn first_node_port(&self) -> u16 {
        match (self.node_port, self.port) {
            (Some(port), _) => port,
            (None, 0) => 0,
            (None, port) => port.saturating_add(1),
        }
    }
}

fn number(option: &'static str, value: String, least: u64, most: u64) -> Result<u64, OptionsError> {
    match value.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => {
            let wanted = match most {
                0..256 => "a number from 1 to 64",
                256..65536 => "a number from 0 to 65535",
                _ => "a whole number",
            };
            Err(OptionsError::BadValue {
                option,
                wanted,
                value,
            })
        }
    }
}

fn scripts(value: String) -> Result<Vec<ScriptName>, OptionsError> {
    let read: Result<_, _> = value.split(',').map(str::parse).collect();
    read.map_err(|_| OptionsError::BadValue {
        option: "--hostile",
        wanted: "names of scripts with commas between them",
        value,
    })
}

fn mount(value: String) -> Result<Mount, OptionsError> {
    match value.split_once('=') {
        Some((prefix, dir)) if prefix.starts_with('/') && !dir.is_empty() => {
            let prefix = prefix.trim_end_matches('/');
            let prefix = if prefix.is_empty() { "/" } else { prefix };
            Ok(Mount {
                prefix: prefix.to_owned(),
                dir: dir.into(),
            })
        }
        _ => Err(OptionsError::BadValue {
            option: "--mount",
            wanted: "/PREFIX=DIR",
            value,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<CommandLine, OptionsError> {
        CommandLine::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn an_empty_line_gives_the_defaults() {
        let options = FleetOptions::default();
        assert_eq!(
            parse(""),
            Ok(CommandLine::Run {
                options,
                until_stdin_closes: false
            })
        );
    }

    #[test]
    fn the_usage_names_every_script() {
        let words: Vec<&str> = USAGE.split([' ', ',', '\n']).collect();
        for script in ScriptName::ALL {
            assert!(words.contains(&script.name()), "{script}");
        }
    }

    #[test]
    fn every_option_is_read() {
        let line = "--port 0 --nodes=3 --hostile silent,empty-payload --seed 7 --node-port 9000 --cluster-id 16 --bootstrap-serves \
                    --www w --pkg p --mount /t/=tests/web --until-stdin-closes";
        let mount = |prefix: &str, dir: &str| Mount {
            prefix: prefix.into(),
            dir: dir.into(),
        };
        let options = FleetOptions {
            port: 0,
            nodes: 3,
            hostile: vec![ScriptName::Silent, ScriptName::EmptyPayload],
            seed: 7,
            node_port: Some(9000),
            bootstrap_serves: true,
            cluster: 16,
            mounts: vec![
                mount("/", "w"),
                mount("/pkg", "p"),
                mount("/t", "tests/web"),
            ],
        };
        assert_eq!(
            parse(line),
            Ok(CommandLine::Run {
                options,
                until_stdin_closes: true
            })
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_option() {
        assert_eq!(
            parse("--ports 1"),
            Err(OptionsError::Unknown("--ports".into()))
        );
        assert_eq!(parse("--port"), Err(OptionsError::NoValue("--port")));
        for line in [
            "--port 65536",
            "--nodes 0",
            "--nodes 65",
            "--seed x",
            "--mount a=b",
            "--hostile silent,polite",
        ] {
            let option = line.split(' ').next().unwrap();
            match parse(line) {
                Err(OptionsError::BadValue { option: named, .. }) => assert_eq!(named, option),
                other => panic!("{line}: {other:?}"),
            }
        }
        assert_eq!(
            parse("--node-port 65530"),
            Err(OptionsError::PortsExhausted(8))
        );
    }
}
