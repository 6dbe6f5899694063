// Sends argv[4] events twice through the official client, told only host and key.
const { Analytics } = require('@segment/analytics-node')
const [host, writeKey, n] = process.argv.slice(2)
async function send() {
  const analytics = new Analytics({ writeKey, host, flushAt: 50, httpRequestTimeout: 20000 })
  analytics.on('error', (error) => { console.error(error); process.exitCode = 1 })
  for (let i = 0; i < Number(n); i++) {
    analytics.track({ userId: `u${i}`, event: 'Visited', properties: { i }, messageId: `node-${i}`, timestamp: new Date() })
  }
  await analytics.closeAndFlush()
}
send().then(send)
