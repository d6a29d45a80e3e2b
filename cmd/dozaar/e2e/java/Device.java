import io.socket.client.Ack;
import io.socket.client.IO;
import io.socket.client.Socket;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** An app on somebody's phone: keeps the events of each name in a queue, and every message it was shown. */
final class Device implements AutoCloseable {
    final Socket socket;
    final List<Integer> shown = new ArrayList<>(); // the numbers of the messages, in order; guarded by itself
    final AtomicInteger missed = new AtomicInteger(); // what its joins said that it missed, altogether
    final AtomicInteger connects = new AtomicInteger();
    private final Map<String, BlockingQueue<JSONObject>> events = new ConcurrentHashMap<>();

    private Device(String gateway, IO.Options options) {
        options.forceNew = true;
        socket = IO.socket(URI.create(gateway + "/chat"), options);
        socket.onAnyIncoming(args -> keep((String) args[0], (JSONObject) args[1]));
        socket.on(Socket.EVENT_CONNECT, args -> connects.incrementAndGet());
        socket.on(Socket.EVENT_CONNECT_ERROR, args -> queue(Socket.EVENT_CONNECT_ERROR).add(
            args[0] instanceof JSONObject refusal ? refusal : new JSONObject(Map.of("message", String.valueOf(args[0])))));
    }

    private void keep(String event, JSONObject data) {
        if (event.equals("new:message")) {
            synchronized (shown) {
                shown.add(data.optInt("seq"));
            }
        }
        queue(event).add(data);
    }

    /** One that is not connected yet. It does not come back by itself unless the options say so. */
    static Device of(String gateway, IO.Options options) {
        return new Device(gateway, options);
    }

    static IO.Options options(World.User user, String... transports) throws Exception {
        IO.Options options = IO.Options.builder().setTransports(transports).setAuth(Map.of("token", user.token())).build();
        options.reconnection = false;
        return options;
    }

    Device connect() throws Exception {
        CompletableFuture<Void> connected = new CompletableFuture<>();
        socket.once(Socket.EVENT_CONNECT, args -> connected.complete(null));
        socket.once(Socket.EVENT_CONNECT_ERROR, args -> connected.completeExceptionally(new AssertionError("not let in: " + args[0])));
        socket.connect();
        connected.get(World.PATIENCE.toSeconds(), TimeUnit.SECONDS);
        return this;
    }

    /** Joins at every connect, as an app does: after the last message that it has. */
    Device alwaysIn(String conversationId) {
        socket.on(Socket.EVENT_CONNECT, args -> joinAgain(conversationId));
        return this;
    }

    private void joinAgain(String conversationId) {
        int last;
        synchronized (shown) {
            last = shown.isEmpty() ? 0 : shown.get(shown.size() - 1);
        }
        emit("join:conversation", Map.of("conversationId", conversationId, "afterSeq", last)).thenAccept(answer -> {
            if (answer.optBoolean("ok")) {
                missed.addAndGet(answer.optInt("missed"));
            } else if (socket.connected()) { // such as `unavailable`, where something behind the gateway has just started
                CompletableFuture.delayedExecutor(100, TimeUnit.MILLISECONDS).execute(() -> joinAgain(conversationId));
            }
        });
    }

    CompletableFuture<JSONObject> emit(String event, Map<String, ?> payload) {
        CompletableFuture<JSONObject> answer = new CompletableFuture<>();
        socket.emit(event, new Object[] {new JSONObject(payload)}, (Ack) args -> answer.complete((JSONObject) args[0]));
        return answer;
    }

    JSONObject ask(String event, Map<String, ?> payload) throws Exception {
        return emit(event, payload).get(World.PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }

    JSONObject must(String event, Map<String, ?> payload) throws Exception {
        JSONObject answer = ask(event, payload);
        if (!answer.optBoolean("ok")) {
            throw new AssertionError(event + ": " + answer);
        }
        return answer;
    }

    /** Sends until it is acknowledged, with one id: what an app does whose connection breaks. */
    void sendUntilAcknowledged(Map<String, ?> payload) throws Exception {
        long end = System.nanoTime() + 3 * World.PATIENCE.toNanos();
        while (System.nanoTime() < end) {
            try {
                if (socket.connected() && emit("send:message", payload).get(2, TimeUnit.SECONDS).optBoolean("ok")) {
                    return;
                }
            } catch (TimeoutException ignored) {
                // The acknowledgement went down with the server, or the message did: that is not known.
            }
            Thread.sleep(20);
        }
        throw new AssertionError("never acknowledged: " + payload);
    }

    JSONObject next(String event) throws Exception {
        return next(event, any -> true);
    }

    /** The next event of that name that fits; those before it are let go. */
    JSONObject next(String event, Predicate<JSONObject> fits) throws Exception {
        long end = System.nanoTime() + World.PATIENCE.toNanos();
        for (JSONObject got; (got = queue(event).poll(end - System.nanoTime(), TimeUnit.NANOSECONDS)) != null; ) {
            if (fits.test(got)) {
                return got;
            }
        }
        throw new AssertionError(event + " did not come");
    }

    boolean got(String event) {
        return !queue(event).isEmpty();
    }

    private BlockingQueue<JSONObject> queue(String event) {
        return events.computeIfAbsent(event, name -> new LinkedBlockingQueue<>());
    }

    static List<String> strings(JSONArray array) throws JSONException {
        List<String> all = new ArrayList<>();
        for (int i = 0; i < array.length(); i++) {
            all.add(array.getString(i));
        }
        return all;
    }

    @Override
    public void close() {
        socket.close();
    }
}
