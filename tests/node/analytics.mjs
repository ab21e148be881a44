// Sends one message of each kind with @segment/analytics-node: node analytics.mjs URL KEY
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, maxEventsInBatch: 10, maxRetries: 0 });
analytics.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
analytics.identify({ userId: "node-user", anonymousId: "node-anonymous", traits: { plan: "pro" } });
analytics.page({ userId: "node-user", name: "Home", messageId: "node-twice" });
analytics.page({ userId: "node-user", name: "Home", messageId: "node-twice" });
analytics.screen({ userId: "node-user", name: "Start" });
analytics.group({ userId: "node-user", groupId: "shop" });
analytics.alias({ userId: "node-user", previousId: "node-before" });
analytics.track({
  userId: "node-user",
  event: "Order Completed",
  timestamp: new Date(),
  properties: { order_id: "node-1", total: 12.5, products: [{ product_id: "p1", category: "Tea", price: 12.5 }] },
});
await analytics.closeAndFlush({ timeout: 20_000 });
