// fauxqs on loopback alone, with a count of what it was asked: GET /_calls.
// node fauxqs.mjs <fauxqs's folder> <port>
const [folder, port] = process.argv.slice(2);
const { buildApp } = await import(`${folder}/dist/app.js`);

const calls = {};
const count = (name, by = 1) => {
  calls[name] = (calls[name] ?? 0) + by;
};

const app = buildApp({ logger: false, host: "127.0.0.1", defaultRegion: "us-east-1" });
app.addHook("preHandler", (request, _reply, done) => {
  const target = request.headers["x-amz-target"];
  if (target) {
    const action = target.split(".")[1];
    count(`SQS ${action}`);
    if (action === "DeleteMessage") count("messages deleted");
    if (action === "DeleteMessageBatch") count("messages deleted", request.body.Entries.length);
  } else if (!request.url.startsWith("/_")) {
    count(`S3 ${request.method} ${request.url.split(/[/?]/)[1]}`);
  }
  done();
});
app.get("/_calls", async () => calls);
await app.listen({ port: Number(port), host: "127.0.0.1" });
