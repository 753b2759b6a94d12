//! What is really the case, whatever a client believes.

use crate::network::SERVICES;
use crate::world::World;

/// Whether every minimum of the first client is met: by peers that are there, reachable, and serve.
pub(crate) fn minima_hold(world: &World) -> bool {
    let client = &world.clients[0];
    let mut places: Vec<usize> = client.links.values().map(|link| link.place).collect();
    places.sort_unstable();
    places.dedup();
    places.retain(|place| world.network.is_up(*place, world.t));
    let peers = &world.network.spec.peers;
    (0..SERVICES).all(|service| {
        let serving = places.iter().filter(|place| peers[**place].serves(service));
        let min = client.config.requirements[usize::from(service)].need.min;
        client.environment.network && serving.count() >= usize::from(min)
    })
}
