import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.socket.client.IO;
import io.socket.client.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The contract once more, with the official Java client, which Android apps use. */
@Timeout(120)
class ContractTest {
    private final World.User bea = World.User.called("Bea"), sam = World.User.called("Sam");
    private final List<Device> devices = new ArrayList<>();

    /** A device of somebody's, at the n-th gateway. */
    private Device device(int gateway, IO.Options options) {
        Device device = Device.of(World.gateway(gateway), options);
        devices.add(device);
        return device;
    }

    @AfterEach
    void close() {
        devices.forEach(Device::close);
    }

    private record Pair(String id, Device buyer, Device seller) {
        Map<String, Object> in() {
            return Map.of("conversationId", id);
        }

        Map<String, Object> message(String text) {
            return Map.of("conversationId", id, "message", text);
        }
    }

    /** Bea and Sam in a conversation, each at a gateway of their own. */
    private Pair pair(String... transports) throws Exception {
        return pair(Device.options(bea, transports), Device.options(sam, transports));
    }

    private Pair pair(IO.Options beas, IO.Options sams) throws Exception {
        Pair pair = new Pair(World.conversation(bea, sam), device(0, beas).connect(), device(1, sams).connect());
        for (Device device : List.of(pair.buyer, pair.seller)) {
            device.socket.emit("join:conversation", new JSONObject(pair.in()));
            assertEquals(pair.id, device.next("joined:conversation").getString("conversationId"));
        }
        return pair;
    }

    @ParameterizedTest
    @ValueSource(strings = {"websocket", "polling", "polling websocket"})
    void talk(String transports) throws Exception {
        talk(pair(transports.split(" ")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"websocket", "polling", "polling websocket"})
    void talkWithTheTokenInAHeader(String transports) throws Exception {
        talk(pair(byHeader(bea, transports), byHeader(sam, transports)));
    }

    private static IO.Options byHeader(World.User user, String transports) throws Exception {
        IO.Options options = IO.Options.builder().setTransports(transports.split(" ")).setReconnection(false)
            .setExtraHeaders(Map.of("Authorization", List.of("Bearer " + user.token()))).build();
        return options;
    }

    private void talk(Pair pair) throws Exception {
        String text = "Grüße 😀 \u0000";
        JSONObject sent = pair.buyer.must("send:message", Map.of(
            "conversationId", pair.id, "message", text, "attachmentUrls", new JSONArray(List.of("https://example.com/a.jpg"))));
        for (Device device : List.of(pair.buyer, pair.seller)) {
            JSONObject message = device.next("new:message");
            assertEquals(sent.getString("messageId"), message.getString("id"));
            assertEquals(sent.getString("createdAt"), message.getString("createdAt"));
            assertEquals(1, message.getInt("seq"));
            assertEquals(text, message.getString("message"));
            assertEquals(List.of("https://example.com/a.jpg"), Device.strings(message.getJSONArray("attachmentUrls")));
            assertEquals(bea.id(), message.getString("senderId"));
            assertEquals(bea.name(), message.getJSONObject("sender").getString("username"));
        }

        pair.seller.must("typing:start", pair.in());
        JSONObject typing = pair.buyer.next("user:typing");
        assertEquals(List.of(pair.id, sam.id()), List.of(typing.getString("conversationId"), typing.getString("userId")));
        pair.seller.must("typing:stop", pair.in());
        assertEquals(sam.id(), pair.buyer.next("user:stopped_typing").getString("userId"));
        assertFalse(pair.seller.got("user:typing"), "one's own typing");

        pair.seller.must("mark:read", Map.of("messageId", sent.getString("messageId")));
        JSONObject read = pair.buyer.next("message:read");
        assertEquals(List.of(sent.getString("messageId"), sam.id()), List.of(read.getString("messageId"), read.getString("readBy")));

        for (int n = 0; n < 80; n++) {
            pair.buyer.socket.emit("send:message", new JSONObject(pair.message("number " + n)));
        }
        for (int n = 0; n < 80; n++) {
            JSONObject message = pair.seller.next("new:message");
            assertEquals("number " + n, message.getString("message"));
            assertEquals(n + 2, message.getInt("seq"));
        }

        pair.seller.must("leave:conversation", pair.in());
        assertRefused(pair.seller, "send:message", pair.message("x"), "not_joined", "");
    }

    /** Refused by acknowledgement and by `exception`, alike. */
    private static void assertRefused(Device device, String event, Map<String, ?> payload, String code, String field) throws Exception {
        JSONObject answer = device.ask(event, payload), exception = device.next("exception");
        assertFalse(answer.getBoolean("ok"), answer.toString());
        assertEquals(List.of(code, field), List.of(answer.getString("code"), answer.optString("field")), event + " " + payload);
        assertEquals(List.of(event, code, field, answer.getString("error")), List.of(
            exception.getString("event"), exception.getString("code"), exception.optString("field"), exception.getString("error")));
    }

    @Test
    void badInputNamesItsField() throws Exception {
        Pair pair = pair("websocket");
        assertRefused(pair.buyer, "send:message", pair.in(), "invalid", "message");
        assertRefused(pair.buyer, "send:message", pair.message("a".repeat(10_001)), "invalid", "message");
        assertRefused(pair.buyer, "send:message", Map.of("conversationId", "mine", "message", "x"), "invalid", "conversationId");
        assertRefused(pair.buyer, "send:message",
            Map.of("conversationId", pair.id, "attachmentUrls", new JSONArray(List.of("javascript:alert(1)"))), "invalid", "attachmentUrls[0]");
        assertRefused(pair.buyer, "join:conversation", Map.of("conversationId", pair.id, "afterSeq", -1), "invalid", "afterSeq");
        assertRefused(pair.buyer, "join:conversation", Map.of("conversationId", UUID.randomUUID().toString()), "not_found", "");
        assertRefused(pair.buyer, "no:such:event", Map.of(), "invalid", "event");
        assertTrue(pair.buyer.socket.connected());
    }

    @Test
    void retryIsOneMessage() throws Exception {
        Pair pair = pair("websocket");
        Map<String, Object> once = Map.of("conversationId", pair.id, "message", "once", "clientMessageId", UUID.randomUUID().toString());
        JSONObject first = pair.buyer.must("send:message", once);
        assertEquals(once.get("clientMessageId"), first.getString("clientMessageId"));
        assertEquals(first.getString("messageId"), pair.buyer.must("send:message", once).getString("messageId"));
        assertEquals(once.get("clientMessageId"), pair.seller.next("new:message").getString("clientMessageId"));
        assertEquals(first.getString("messageId"), pair.buyer.must("send:message", once).getString("messageId"), "after it was stored");

        Map<String, Object> other = Map.of("conversationId", pair.id, "message", "other", "clientMessageId", once.get("clientMessageId"));
        assertRefused(pair.buyer, "send:message", other, "conflict", "clientMessageId");
        pair.buyer.must("send:message", pair.message("behind it"));
        JSONObject behind = pair.seller.next("new:message");
        assertEquals(List.of("behind it", 2), List.of(behind.getString("message"), behind.getInt("seq")));
        assertEquals(2, World.history(pair.id).length());
    }

    @ParameterizedTest
    @ValueSource(strings = {"websocket", "polling", "polling websocket"})
    void joiningReplaysWhatWasMissed(String transports) throws Exception {
        Pair pair = pair(transports.split(" "));
        for (String text : List.of("one", "two", "three")) {
            pair.buyer.must("send:message", pair.message(text));
        }
        pair.buyer.next("new:message", m -> m.optInt("seq") == 3);
        Device phone = device(1, Device.options(sam, transports.split(" "))).connect();
        JSONObject joined = phone.must("join:conversation", Map.of("conversationId", pair.id, "afterSeq", 1));
        assertEquals(List.of(3, 2, true), List.of(joined.getInt("lastSeq"), joined.getInt("missed"), joined.getBoolean("recovered")));
        pair.buyer.must("send:message", pair.message("four"));
        phone.next("new:message", m -> m.optInt("seq") == 4);
        assertEquals(List.of(2, 3, 4), phone.shown);
    }

    @Test
    void notifiedOutsideTheRoom() throws Exception {
        Pair pair = pair("websocket");
        pair.seller.must("leave:conversation", pair.in());
        JSONObject sent = pair.buyer.must("send:message", pair.message("a".repeat(99) + "😀" + "b"));
        JSONObject notification = pair.seller.next("message:notification");
        assertEquals(sent.getString("messageId"), notification.getString("messageId"));
        assertEquals("a".repeat(99) + "😀", notification.getString("preview"));
        assertEquals(bea.id(), notification.getJSONObject("sender").getString("id"));
        assertFalse(pair.seller.got("new:message"));
    }

    @Test
    void presence() throws Exception {
        Pair pair = pair("websocket");
        JSONArray both = new JSONArray(List.of(sam.id(), "nobody"));
        JSONObject statuses = pair.buyer.must("get:online_status", Map.of("userIds", both)).getJSONObject("statuses");
        assertTrue(statuses.getJSONObject(sam.id()).getBoolean("online"), statuses.toString());
        assertFalse(statuses.getJSONObject("nobody").getBoolean("online"));
        assertEquals(statuses.toString(), pair.buyer.next("online:status").getJSONObject("statuses").toString());
        pair.seller.close();
        JSONObject offline = pair.buyer.next("user:offline", e -> sam.id().equals(e.optString("userId")));
        device(1, Device.options(sam, "websocket")).connect();
        pair.buyer.next("user:online", e -> sam.id().equals(e.optString("userId")) && e.optLong("timestamp") > offline.optLong("timestamp"));
    }

    @Test
    void refusedWithoutAValidToken() throws Exception {
        World.User nobody = World.User.called("Eve");
        Map<String, String> refusals = Map.of(
            "", "unauthorized",
            "garbage", "unauthorized",
            nobody.token(new JSONObject().put("exp", System.currentTimeMillis() / 1000 - 60)), "token_expired",
            nobody.token(new JSONObject().put("sub", "eve")), "unauthorized",
            nobody.token(new JSONObject().put("exp", JSONObject.NULL)), "unauthorized");
        for (var refusal : refusals.entrySet()) {
            IO.Options options = IO.Options.builder().setTransports(new String[] {"websocket"}).setReconnection(false)
                .setAuth(Map.of("token", refusal.getKey())).build();
            Device device = device(0, options);
            device.socket.connect();
            JSONObject error = device.next(Socket.EVENT_CONNECT_ERROR);
            assertEquals(refusal.getValue(), error.getJSONObject("data").getString("code"), error.toString());
            assertFalse(device.socket.connected());
        }
    }

    /** The server is killed while somebody sends; the devices come back by themselves and ask for what they missed. */
    @ParameterizedTest
    @ValueSource(strings = {"websocket", "polling websocket"})
    void reconnectAfterTheServerWentAway(String transports) throws Exception {
        String id = World.conversation(bea, sam);
        Device buyer = device(0, comesBack(bea, transports, 50)).alwaysIn(id).connect();
        Device seller = device(1, comesBack(sam, transports, 50)).alwaysIn(id).connect();
        Device phone = device(1, Device.options(sam, transports.split(" "))).alwaysIn(id).connect(); // comes back when told
        buyer.next("joined:conversation");
        phone.next("joined:conversation");
        int n = 0;
        for (; n < 20; n++) {
            buyer.sendUntilAcknowledged(message(id, n));
        }
        phone.next("new:message", m -> m.optInt("seq") == 20);
        Thread restarts = new Thread(() -> {
            try {
                World.restart(1);
                World.restart(0);
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
        restarts.start();
        while (restarts.isAlive() && n < 60 || n < 40) {
            buyer.sendUntilAcknowledged(message(id, n++));
        }
        restarts.join();
        for (int more = 0; more < 20; more++) {
            buyer.sendUntilAcknowledged(message(id, n++));
        }
        for (Device device : List.of(buyer, seller)) {
            assertEquals(IntStream.rangeClosed(1, n).boxed().toList(), shownUpTo(device, n));
            assertTrue(device.connects.get() >= 2, "it never came back");
        }
        assertFalse(phone.socket.connected(), "the server was not away");
        int had = phone.shown.size();
        phone.connect();
        assertEquals(IntStream.rangeClosed(1, n).boxed().toList(), shownUpTo(phone, n));
        assertEquals(n - had, phone.missed.get(), "what the phone was told it missed");
        assertTrue(n - had >= 20, "it missed only " + (n - had));
        JSONArray history = World.history(id);
        assertEquals(n, history.length());
        for (int i = 0; i < n; i++) {
            assertEquals("number " + i, history.getJSONObject(i).getString("message"));
        }
    }

    private static IO.Options comesBack(World.User user, String transports, long delay) throws Exception {
        return IO.Options.builder().setTransports(transports.split(" ")).setAuth(Map.of("token", user.token()))
            .setReconnection(true).setReconnectionDelay(delay).setReconnectionDelayMax(4 * delay).setTimeout(5_000).build();
    }

    private static Map<String, Object> message(String id, int n) {
        return Map.of("conversationId", id, "message", "number " + n, "clientMessageId", UUID.randomUUID().toString());
    }

    private static List<Integer> shownUpTo(Device device, int total) throws Exception {
        long end = System.nanoTime() + 2 * World.PATIENCE.toNanos();
        for (;;) {
            synchronized (device.shown) {
                if (device.shown.size() >= total || System.nanoTime() > end) {
                    return List.copyOf(device.shown);
                }
            }
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }
}
