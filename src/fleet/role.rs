//! What a node of the fleet is for, and how roles are dealt to a fleet of any size.

use std::fmt;

use serde::{Serialize, Serializer};

use super::hostile::ScriptName;

/// A request protocol that a service node answers, as JavaScript spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Service {
    /// Publishes messages for its clients, versions 3 and 2.
    LightPush,
    /// Pushes messages of wanted topics to its clients.
    Filter,
    /// Answers queries about past messages.
    Store,
    /// Hands out records of other nodes.
    PeerExchange,
}

/// What a node is for. Every node answers metadata, whatever its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Stands in the record tree and answers peer exchange; with `bootstrap_serves` it serves all else too.
    Bootstrap,
    /// Serves everything.
    All,
    /// Serves lightpush only.
    Lightpush,
    /// Serves filter only.
    Filter,
    /// Serves store only.
    Store,
    /// Follows a script, which has a name when it is one of the fleet's.
    Hostile(Option<ScriptName>),
}

/// The word that JSON uses: in lower case, and for a hostile node `hostile:` and its script.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bootstrap => f.write_str("bootstrap"),
            Self::Hostile(Some(script)) => write!(f, "hostile:{script}"),
            other => f.write_str(other.word()),
        }
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Role {
    /// The services of this role, in a fixed order.
    pub fn services(self, bootstrap_serves: bool) -> &'static [Service] {
        const EVERYTHING: &[Service] = &[
            Service::LightPush,
            Service::Filter,
            Service::Store,
            Service::PeerExchange,
        ];
        match self {
            Self::Bootstrap if bootstrap_serves => EVERYTHING,
            Self::Bootstrap => &[Service::PeerExchange],
            Self::All => EVERYTHING,
            Self::Lightpush => &[Service::LightPush],
            Self::Filter => &[Service::Filter],
            Self::Store => &[Service::Store],
            // Its script says.
            Self::Hostile(_) => &[],
        }
    }

    /// The word that names begin with.
    fn word(self) -> &'static str {
        match self {
            Self::Bootstrap => "boot",
            Self::All => "all",
            Self::Lightpush => "lightpush",
            Self::Filter => "filter",
            Self::Store => "store",
            Self::Hostile(_) => "hostile",
        }
    }
}

/// A node's place in the fleet: its role and its name, for example `all-2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What the node is for.
    pub role: Role,
    /// Unique in the fleet: the role's word, a dash, and a number that counts from 1 within the role.
    pub name: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Deals roles to `count` nodes.
///
/// The order is bootstrap, all, all, all, bootstrap, lightpush, filter, store, and from the ninth node on all,
/// lightpush, filter, store again and again: a small fleet can already be found and serve, eight have every role, and a
/// large one stays unequal. The result lists the roles together, bootstrap first; ports follow that order.
pub fn deal(count: usize) -> Vec<Place> {
    const FIRST: [Role; 8] = [
        Role::Bootstrap,
        Role::All,
        Role::All,
        Role::All,
        Role::Bootstrap,
        Role::Lightpush,
        Role::Filter,
        Role::Store,
    ];
    const THEN: [Role; 4] = [Role::All, Role::Lightpush, Role::Filter, Role::Store];
    let mut roles: Vec<Role> = FIRST
        .into_iter()
        .chain(THEN.into_iter().cycle())
        .take(count)
        .collect();
    roles.sort();
    let mut places = Vec::with_capacity(count);
    for role in roles {
        let name = numbered(&places, role, role.word());
        places.push(Place { role, name });
    }
    places
}

/// Adds nodes that follow scripts, behind all others: their names begin with `hostile` and the script.
pub fn deal_hostile(places: &mut Vec<Place>, scripts: &[ScriptName]) {
    for script in scripts {
        let role = Role::Hostile(Some(*script));
        let name = numbered(places, role, &format!("hostile-{script}"));
        places.push(Place { role, name });
    }
}

fn numbered(places: &[Place], role: Role, word: &str) -> String {
    let number = 1 + places.iter().filter(|place| place.role == role).count();
    format!("{word}-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        deal(count).into_iter().map(|place| place.name).collect()
    }

    #[test]
    fn eight_nodes_have_every_role() {
        assert_eq!(
            names(8),
            [
                "boot-1",
                "boot-2",
                "all-1",
                "all-2",
                "all-3",
                "lightpush-1",
                "filter-1",
                "store-1"
            ]
        );
    }

    #[test]
    fn a_small_fleet_can_be_found_and_serves() {
        assert_eq!(names(1), ["boot-1"]);
        assert_eq!(names(2), ["boot-1", "all-1"]);
    }

    #[test]
    fn a_large_fleet_has_unique_names() {
        let mut names = names(200);
        assert_eq!(names.len(), 200);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 200);
    }

    #[test]
    fn bootstrap_nodes_serve_only_when_told_to() {
        assert_eq!(Role::Bootstrap.services(false), [Service::PeerExchange]);
        assert_eq!(Role::Bootstrap.services(true), Role::All.services(false));
    }

    #[test]
    fn hostile_nodes_are_named_after_their_scripts() {
        let mut places = deal(1);
        let silent = ScriptName::Silent;
        deal_hostile(&mut places, &[silent, ScriptName::NoPing, silent]);
        let names: Vec<_> = places.iter().map(|place| &*place.name).collect();
        assert_eq!(
            names,
            [
                "boot-1",
                "hostile-silent-1",
                "hostile-no-ping-1",
                "hostile-silent-2"
            ]
        );
        assert_eq!(places[2].role.to_string(), "hostile:no-ping");
        assert_eq!(places[0].role.to_string(), "bootstrap");
    }
}
