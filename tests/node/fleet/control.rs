//! The HTTP side besides the resolver.

use lightkeeper::{
    fleet::{Fleet, FleetOptions},
    protocols::MessageHash,
};

use super::{TOPIC, connect, fleet, history, query};
use crate::{client::Client, http};

#[tokio::test(flavor = "multi_thread")]
async fn the_control_api_does_what_the_library_does() {
    let fleet = fleet().await;
    let at = fleet.http_addr();
    let shown = http::get(at, "/api/fleet").await.json();
    assert_eq!(shown["enrtree"], fleet.info().enrtree);
    assert_eq!(shown["resolver"], format!("http://{at}/dns-query"));
    assert_eq!(shown["network"]["clusterId"], 1);
    assert_eq!(shown["network"]["numShardsInCluster"], 8);
    assert_eq!(shown["nodes"].as_array().unwrap().len(), 8);
    let all_1 = &shown["nodes"][2];
    assert_eq!(all_1["name"], "all-1");
    assert_eq!(all_1["role"], "all");
    let services = serde_json::json!(["lightPush", "filter", "store", "peerExchange"]);
    assert_eq!(all_1["services"], services);

    for (action, state, fault) in [
        ("stop", "stopped", "none"),
        ("wrong-id", "stopped", "wrong-id"),
        ("start", "running", "wrong-id"),
        ("heal", "running", "none"),
    ] {
        let answer = http::post(at, &format!("/api/nodes/all-1/{action}")).await;
        let node = answer.json();
        assert_eq!(
            (answer.status, &node["state"], &node["fault"]),
            (200, &state.into(), &fault.into())
        );
    }
    assert_eq!(http::post(at, "/api/nodes/all-9/stop").await.status, 404);
    assert_eq!(http::post(at, "/api/nodes/all-1/halt").await.status, 404);
    assert_eq!(
        http::post(at, "/api/resolver/lie").await.json()["resolverMode"],
        "lie"
    );
    assert_eq!(http::post(at, "/api/resolver/maybe").await.status, 404);

    let body = format!(r#"{{"contentTopic":"{TOPIC}","payloadBase64":"aGVsbG8="}}"#);
    let answer = http::request(at, "POST", "/api/publish", &[], body.as_bytes()).await;
    let hash: MessageHash = answer.json()["hash"].as_str().unwrap().parse().unwrap();
    let client = Client::new();
    let peer = connect(&client, &fleet, "store-1").await;
    let page = query(&client, peer, history()).await;
    assert_eq!(page.messages[0].message_hash(), hash.as_bytes());
    let bad = http::request(at, "POST", "/api/publish", &[], b"{}").await;
    assert_eq!(bad.status, 400);
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_this_machine_is_served() {
    let fleet = fleet().await;
    let at = fleet.http_addr();
    let status = async |headers: &[(&str, &str)]| {
        http::request(at, "GET", "/api/fleet", headers, &[])
            .await
            .status
    };
    assert_eq!(status(&[("Host", "localhost:8800")]).await, 200);
    assert_eq!(status(&[("Host", "fleet.example.org")]).await, 403);
    assert_eq!(status(&[("Origin", "http://localhost:5173")]).await, 200);
    assert_eq!(status(&[("Origin", "https://example.org")]).await, 403);
    let headers = [("Origin", "http://localhost:5173")];
    let answer = http::request(at, "GET", "/api/fleet", &headers, &[]).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("http://localhost:5173")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_served_with_their_types_and_uncached() {
    let dir = std::env::temp_dir().join(format!("lightkeeper-fleet-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("sub")).unwrap();
    std::fs::write(dir.join("index.html"), "<p>page").unwrap();
    std::fs::write(dir.join("sub/a.wasm"), b"\0asm").unwrap();
    let mount = |prefix: &str| lightkeeper::fleet::Mount {
        prefix: prefix.into(),
        dir: dir.clone(),
    };
    let mounts = vec![mount("/"), mount("/pkg")];
    let fleet = Fleet::start(FleetOptions {
        port: 0,
        nodes: 1,
        mounts,
        ..Default::default()
    });
    let fleet = fleet.await.unwrap();
    let page = http::get(fleet.http_addr(), "/").await;
    assert_eq!((page.status, &page.body[..]), (200, &b"<p>page"[..]));
    let wasm = http::get(fleet.http_addr(), "/pkg/sub/a.wasm").await;
    assert_eq!(wasm.header("content-type"), Some("application/wasm"));
    assert_eq!(wasm.header("cache-control"), Some("no-store"));
    assert_eq!(
        http::get(fleet.http_addr(), "/pkg/none.js").await.status,
        404
    );
    assert_eq!(
        http::get(fleet.http_addr(), "/../Cargo.toml").await.status,
        404
    );
    fleet.shutdown().await;
    std::fs::remove_dir_all(dir).unwrap();
}
