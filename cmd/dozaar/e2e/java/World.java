import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.json.JSONArray;
import org.json.JSONObject;

/**
 * What the marketplace does: tokens, conversations, history. DOZAAR_URLS names the gateways, DOZAAR_JWT_SECRET signs, and
 * DOZAAR_CONTROL_URL takes a server away and brings it back.
 */
final class World {
    static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String[] GATEWAYS = System.getenv("DOZAAR_URLS").split(",");
    private static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private World() {}

    record User(String id, String name) {
        static User called(String name) {
            return new User(UUID.randomUUID().toString(), name);
        }

        String token() throws Exception {
            return token(new JSONObject());
        }

        /** A token with claims added or overridden; one that is null is left out. */
        String token(JSONObject claims) throws Exception {
            JSONObject body = new JSONObject().put("sub", id).put("username", name).put("exp", System.currentTimeMillis() / 1000 + 3600);
            for (var keys = claims.keys(); keys.hasNext(); ) {
                String key = (String) keys.next();
                body.put(key, claims.isNull(key) ? null : claims.get(key));
            }
            String text = part("{\"alg\":\"HS256\",\"typ\":\"JWT\"}".getBytes(StandardCharsets.UTF_8)) + "." + part(body.toString().getBytes(StandardCharsets.UTF_8));
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(System.getenv("DOZAAR_JWT_SECRET").getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            return text + "." + part(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
        }

        private static String part(byte[] bytes) {
            return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
        }
    }

    /** The n-th gateway's address; with one gateway it is always that one. */
    static String gateway(int n) {
        return GATEWAYS[n % GATEWAYS.length];
    }

    /** A new conversation of these users. */
    static String conversation(User... users) throws Exception {
        JSONArray members = new JSONArray();
        for (User user : users) {
            members.put(new JSONObject().put("userId", user.id()).put("username", user.name()));
        }
        String body = new JSONObject().put("members", members).toString();
        return request(service("/v1/conversations").POST(HttpRequest.BodyPublishers.ofString(body)), 201).getString("id");
    }

    /** The conversation's messages, up to a hundred. */
    static JSONArray history(String conversationId) throws Exception {
        return request(service("/v1/conversations/" + conversationId + "/messages?afterSeq=0&limit=100").GET(), 200).getJSONArray("messages");
    }

    /** Kills the process that holds the n-th gateway and starts it again; returns when it is ready. */
    static void restart(int n) throws Exception {
        URI control = URI.create(System.getenv("DOZAAR_CONTROL_URL") + "/restart?gateway=" + n % GATEWAYS.length);
        var answer = HTTP.send(HttpRequest.newBuilder(control).POST(HttpRequest.BodyPublishers.noBody()).build(), HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 204) {
            throw new AssertionError(control + ": " + answer.statusCode() + " " + answer.body());
        }
    }

    private static HttpRequest.Builder service(String path) throws Exception {
        String token = User.called("marketplace").token(new JSONObject().put("scope", "service"));
        return HttpRequest.newBuilder(URI.create(gateway(0) + path)).timeout(PATIENCE)
            .header("Authorization", "Bearer " + token).header("Content-Type", "application/json");
    }

    private static JSONObject request(HttpRequest.Builder request, int status) throws Exception {
        var answer = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
        if (answer.statusCode() != status) {
            throw new AssertionError(answer.uri() + ": " + answer.statusCode() + " " + answer.body());
        }
        return new JSONObject(answer.body());
    }
}
