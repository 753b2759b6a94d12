/** What must not compile. Each line is an error; one that is none is reported as an unused directive. */

import { LightNode, LightNodeError, createLightNode, networks, type Decision, type Enrollment, type NodeEvent } from "lightkeeper";

export async function wrong(node: LightNode, event: NodeEvent, decision: Decision, enrollment: Enrollment, payload: Uint8Array): Promise<void> {
  // @ts-expect-error nodes are made by createLightNode
  new LightNode();
  // @ts-expect-error no such option
  await createLightNode({ storge: "memory" });
  // @ts-expect-error not built yet
  await createLightNode({ storage: "memory" });
  // @ts-expect-error no such requirement
  await createLightNode({ require: { lightpush: 2 } });
  // @ts-expect-error neither kind of network
  await createLightNode({ network: { clusterId: 1 } });
  // @ts-expect-error absent, never null
  await createLightNode({ bootstrap: null });
  // @ts-expect-error no such event
  node.addEventListener("peer:conect", () => {});
  // @ts-expect-error no such detail
  node.addEventListener("peer:connect", (e) => e.detail.peer);
  // @ts-expect-error no such cause
  node.addEventListener("peer:disconnect", (e) => e.detail.cause === "lost");
  // @ts-expect-error read only
  node.peerId = "me";
  // @ts-expect-error text is no payload
  await node.lightPush.send({ contentTopic: "/a/1/b/c", payload: "text" });
  // @ts-expect-error no such message field
  await node.lightPush.send({ contentTopic: "/a/1/b/c", payload, topic: "x" });
  // @ts-expect-error no such option of sending
  await node.lightPush.send({ contentTopic: "/a/1/b/c", payload }, { redundancy: 2 });
  // @ts-expect-error the options stand behind the callback
  await node.filter.subscribe(["/a/1/b/c"], { peers: 2 }, () => {});
  // @ts-expect-error one hash is no array of them
  await node.store.has("ab");
  // @ts-expect-error not part of the network
  await createLightNode({ network: { clusterId: 1, shards: [0], maxBytes: 1 } });
  // @ts-expect-error no such call option
  await node.ready({ timeout: 5 });
  // @ts-expect-error topics and hashes are two kinds of query
  node.store.query({ contentTopics: ["/a/1/b/c"], hashes: ["ab"] });
  // @ts-expect-error no such priority
  node.setPriority("id", "best");
  // @ts-expect-error no such code
  new LightNodeError("oops", "message");
  // @ts-expect-error frozen
  networks.sandbox.bootstrap.push("enrtree://…");
  // @ts-expect-error only after looking at the type
  console.log(event.detail.count);
  // @ts-expect-error a limit, and no number of the policy
  await createLightNode({ policy: { softConnections: 4 } });
  // @ts-expect-error not built yet
  node.connections.setMaxByTransport({ circuit: 1 });
  // @ts-expect-error no unit
  await node.enroll({ name: "chat", protocols: ["/chat/1"], quota: { max: "half" } });
  // @ts-expect-error a text is no score
  await node.enroll({ name: "chat", protocols: ["/chat/1"], score: () => ({ id: "good" }) });
  // @ts-expect-error made by enroll
  enrollment.granted = { low: 9, high: 9 };
  // @ts-expect-error no such outcome
  enrollment.report("id", "fine");
  // @ts-expect-error a hint is a value and how long it lasts
  node.tag("id", "friend", 5);
  // @ts-expect-error only after looking at what was decided
  console.log(decision.guard);
}
