// Carries out a test's commands with the unmodified pusher-java-client and pusher-http-java.
//
// Prints the port that it listens on. Each connection there is an agent of its own: commands come in as JSON, one object a
// line ({id, command, args}), and {reply: id, result | failure} and {report: …} go out. Ends with standard input.
// Knows no test: what is right is decided in Python.

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.pusher.client.PusherOptions;
import com.pusher.client.channel.ChannelEventListener;
import com.pusher.client.channel.PresenceChannelEventListener;
import com.pusher.client.channel.PrivateChannelEventListener;
import com.pusher.client.channel.PusherEvent;
import com.pusher.client.channel.User;
import com.pusher.client.connection.ConnectionEventListener;
import com.pusher.client.connection.ConnectionState;
import com.pusher.client.connection.ConnectionStateChange;
import com.pusher.client.util.HttpChannelAuthorizer;
import com.pusher.rest.data.Event;
import com.pusher.rest.data.PresenceUser;
import com.pusher.rest.data.Result;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

public class Agent {
    private static final Gson GSON = new GsonBuilder().serializeNulls().create();

    private final Socket socket;
    private final PrintWriter out;
    private com.pusher.client.Pusher client;
    private com.pusher.rest.Pusher server;

    private Agent(Socket socket) throws Exception {
        this.socket = socket;
        this.out = new PrintWriter(socket.getOutputStream(), true, StandardCharsets.UTF_8);
    }

    public static void main(String[] arguments) throws Exception {
        ServerSocket door = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
        System.out.println(door.getLocalPort());
        start(() -> {
            while (true) {
                Agent agent = new Agent(door.accept());
                start(agent::serve);
            }
        });
        while (System.in.read() >= 0) {}
        System.exit(0);
    }

    private interface Work {
        void run() throws Exception;
    }

    private static void start(Work work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (Exception error) {
                error.printStackTrace();
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    private void serve() throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonObject message = GSON.fromJson(line, JsonObject.class);
            JsonObject reply = new JsonObject();
            reply.add("reply", message.get("id"));
            try {
                Object result = carryOut(message.get("command").getAsString(), message.getAsJsonObject("args"));
                reply.add("result", GSON.toJsonTree(result));
            } catch (Exception error) {
                reply.addProperty("failure", error.toString());
            }
            print(reply);
        }
        if (client != null) client.disconnect();
        if (server != null) server.close();
        socket.close();
    }

    private Object carryOut(String command, JsonObject args) throws Exception {
        switch (command) {
            case "connect": connect(args); return null;
            case "subscribe": subscribe(text(args, "channel")); return null;
            case "unsubscribe": client.unsubscribe(text(args, "channel")); return null;
            case "clientEvent": client.getPresenceChannel(text(args, "channel")).trigger(text(args, "event"), text(args, "data")); return null;
            case "disconnect": client.disconnect(); return null;
            case "configure": configure(args); return null;
            case "trigger": return outcome(trigger(args));
            case "triggerBatch": return outcome(server.trigger(batch(args)));
            case "get": return outcome(server.get(text(args, "path"), Map.of()));
            case "authenticate": return authenticate(args);
            case "webhook": return server.validateWebhookSignature(text(args, "key"), text(args, "signature"), text(args, "body")).name();
            default: throw new IllegalArgumentException("no command " + command);
        }
    }

    // --- pusher-java-client ---

    private void connect(JsonObject args) {
        PusherOptions options = new PusherOptions()
            .setHost(text(args, "host")).setWsPort(args.get("port").getAsInt()).setUseTLS(false)
            .setChannelAuthorizer(new HttpChannelAuthorizer(text(args, "endpoint")));
        client = new com.pusher.client.Pusher(text(args, "key"), options);
        client.connect(new ConnectionEventListener() {
            @Override public void onConnectionStateChange(ConnectionStateChange change) {
                report("kind", "state", "current", change.getCurrentState().name());
            }

            @Override public void onError(String message, String code, Exception error) {
                report("kind", "error", "message", message, "code", code, "exception", String.valueOf(error));
            }
        }, ConnectionState.ALL);
    }

    private void subscribe(String channel) {
        if (channel.startsWith("presence-")) client.subscribePresence(channel, new Listener(channel)).bindGlobal(new Listener(channel));
        else if (channel.startsWith("private-")) client.subscribePrivate(channel, new Listener(channel)).bindGlobal(new Listener(channel));
        else client.subscribe(channel, new Listener(channel)).bindGlobal(new Listener(channel));
    }

    private final class Listener implements PresenceChannelEventListener, PrivateChannelEventListener, ChannelEventListener {
        private final String channel;

        Listener(String channel) {
            this.channel = channel;
        }

        @Override public void onSubscriptionSucceeded(String name) {
            report("kind", "subscribed", "channel", name);
        }

        @Override public void onAuthenticationFailure(String message, Exception error) {
            report("kind", "unauthorised", "channel", channel, "message", message);
        }

        @Override public void onUsersInformationReceived(String name, Set<User> users) {
            Map<String, Object> members = new TreeMap<>();
            for (User user : users) members.put(user.getId(), GSON.fromJson(user.getInfo(), JsonElement.class));
            report("kind", "members", "channel", name, "members", members);
        }

        @Override public void userSubscribed(String name, User user) {
            report("kind", "joined", "channel", name, "user", user.getId());
        }

        @Override public void userUnsubscribed(String name, User user) {
            report("kind", "left", "channel", name, "user", user.getId());
        }

        @Override public void onEvent(PusherEvent event) {
            report("kind", "event", "channel", event.getChannelName(), "event", event.getEventName(), "data", event.getData(), "user", event.getUserId());
        }

        @Override public void onError(String message, Exception error) {
            report("kind", "channel error", "channel", channel, "message", message);
        }
    }

    // --- pusher-http-java ---

    private void configure(JsonObject args) {
        server = new com.pusher.rest.Pusher(text(args, "appId"), text(args, "key"), text(args, "secret"));
        server.setHost(text(args, "host"));
        server.setEncrypted(false);
    }

    private Result trigger(JsonObject args) {
        List<String> channels = new ArrayList<>();
        args.getAsJsonArray("channels").forEach(channel -> channels.add(channel.getAsString()));
        return args.has("socketId")
            ? server.trigger(channels, text(args, "event"), args.get("data"), text(args, "socketId"))
            : server.trigger(channels, text(args, "event"), args.get("data"));
    }

    private static List<Event> batch(JsonObject args) {
        List<Event> events = new ArrayList<>();
        args.getAsJsonArray("batch").forEach(one -> {
            JsonObject event = one.getAsJsonObject();
            events.add(new Event(text(event, "channel"), text(event, "name"), event.get("data")));
        });
        return events;
    }

    private Object authenticate(JsonObject args) {
        String answer = args.has("user")
            ? server.authenticate(text(args, "socketId"), text(args, "channel"), new PresenceUser(text(args, "user"), args.get("info")))
            : server.authenticate(text(args, "socketId"), text(args, "channel"));
        return GSON.fromJson(answer, JsonElement.class);
    }

    private static Map<String, Object> outcome(Result result) {
        Map<String, Object> outcome = new TreeMap<>();
        outcome.put("status", result.getHttpStatus());
        outcome.put("result", result.getStatus().name());
        outcome.put("message", result.getMessage());
        return outcome;
    }

    // --- words ---

    private static String text(JsonObject args, String name) {
        return args.get(name).getAsString();
    }

    private void report(Object... fields) {
        JsonObject report = new JsonObject();
        for (int at = 0; at < fields.length; at += 2) report.add((String) fields[at], GSON.toJsonTree(fields[at + 1]));
        JsonObject message = new JsonObject();
        message.add("report", report);
        print(message);
    }

    private synchronized void print(JsonObject message) {
        out.println(GSON.toJson(message));
    }
}
