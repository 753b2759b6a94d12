//! The mounted directories: the page, the package, whatever tests need.

use axum::{
    Router,
    http::{HeaderValue, header},
    routing::get,
};
use tower_http::{services::ServeDir, set_header::SetResponseHeaderLayer};

use crate::fleet::options::Mount;

/// What stands at `/` when nothing is mounted there.
const NO_PAGE: &str =
    "A fleet of service nodes for light nodes to practise with.\nStart with GET /api/fleet\n";

/// Adds the directories to `router`, whose own routes go first.
pub(super) fn mount(mut router: Router, mounts: &[Mount]) -> Router {
    let mut has_page = false;
    for Mount { prefix, dir } in mounts {
        let files = ServeDir::new(dir);
        if prefix == "/" {
            has_page = true;
            router = router.fallback_service(files);
        } else {
            router = router.nest_service(prefix, files);
        }
    }
    if has_page {
        router
    } else {
        router.route("/", get(NO_PAGE))
    }
}

/// What is served changes with every build, and a stale page is hard to see.
pub(super) fn never_cached() -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
