import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.reflect.TypeToken;

import org.apache.ranger.authorization.hadoop.config.RangerPluginConfig;
import org.apache.ranger.plugin.contextenricher.RangerTagForEval;
import org.apache.ranger.plugin.model.RangerPolicy;
import org.apache.ranger.plugin.model.RangerTag;
import org.apache.ranger.plugin.policyengine.RangerAccessRequest;
import org.apache.ranger.plugin.policyengine.RangerAccessRequestImpl;
import org.apache.ranger.plugin.policyengine.RangerAccessResourceImpl;
import org.apache.ranger.plugin.policyengine.RangerAccessResult;
import org.apache.ranger.plugin.policyengine.RangerPluginContext;
import org.apache.ranger.plugin.policyengine.RangerPolicyEngineImpl;
import org.apache.ranger.plugin.policyengine.RangerPolicyEngineOptions;
import org.apache.ranger.plugin.policyresourcematcher.RangerPolicyResourceMatcher.MatchType;
import org.apache.ranger.plugin.util.RangerAccessRequestUtil;
import org.apache.ranger.plugin.util.RangerRoles;
import org.apache.ranger.plugin.util.ServicePolicies;

/**
 * Answers requests with the published Ranger engine, and measures it, warm and with fresh requests on one thread.
 *
 * Arguments: a folder with service.json (ServicePolicies), roles.json (RangerRoles, may be absent) and
 * requests.jsonl; how many seconds each kind is warmed up and measured, 0 for answers only. Writes answers.jsonl.
 * If the service definition names a tag file, it has to be on the class path.
 */
public final class RangerBeside {
    private static final Gson GSON = new GsonBuilder().setDateFormat("yyyyMMdd-HH:mm:ss.SSSZ").create();

    private final RangerPolicyEngineImpl engine;

    private RangerBeside(Path folder) throws Exception {
        ServicePolicies policies = read(folder.resolve("service.json"), ServicePolicies.class);
        Path rolesFile = folder.resolve("roles.json");
        RangerRoles roles = Files.exists(rolesFile) ? read(rolesFile, RangerRoles.class) : new RangerRoles();
        if (roles.getRangerRoles() == null) {
            roles.setRangerRoles(new HashSet<>());
        }
        RangerPolicyEngineOptions options = new RangerPolicyEngineOptions();
        options.disableTrieLookupPrefilter = false;
        options.cacheAuditResults = false;
        String service = policies.getServiceName();
        RangerPluginConfig config = new RangerPluginConfig(policies.getServiceDef().getName(), service, "beside", "cl1", "on-prem", options);
        engine = new RangerPolicyEngineImpl(policies, new RangerPluginContext(config), roles);
    }

    private static <T> T read(Path file, Class<T> kind) throws Exception {
        try (BufferedReader reader = Files.newBufferedReader(file)) {
            return GSON.fromJson(reader, kind);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Paths.get(arguments[0]);
        double seconds = Double.parseDouble(arguments[1]);
        List<JsonObject> requests = new ArrayList<>();
        for (String line : Files.readAllLines(folder.resolve("requests.jsonl"))) {
            requests.add(GSON.fromJson(line, JsonObject.class));
        }
        Runtime.getRuntime().gc();
        long before = used();
        long started = worked();
        RangerBeside beside = new RangerBeside(folder);
        double built = (worked() - started) / 1e9;
        Runtime.getRuntime().gc();
        long memory = used() - before;
        try (BufferedWriter writer = Files.newBufferedWriter(folder.resolve("answers.jsonl"))) {
            for (JsonObject request : requests) {
                writer.write(GSON.toJson(beside.answer(request)));
                writer.newLine();
            }
        }
        JsonObject measured = new JsonObject();
        measured.addProperty("build_seconds", built);
        measured.addProperty("memory_bytes", memory);
        if (seconds > 0) {
            for (String kind : new String[] {"access", "mask", "filter"}) {
                List<JsonObject> ofKind = new ArrayList<>();
                for (JsonObject request : requests) {
                    if (request.get("kind").getAsString().equals(kind)) {
                        ofKind.add(request);
                    }
                }
                if (!ofKind.isEmpty()) {
                    beside.evaluationsPerSecond(ofKind, seconds);
                    measured.addProperty(kind + "_per_second", beside.evaluationsPerSecond(ofKind, seconds));
                }
            }
        }
        System.out.println(GSON.toJson(measured));
        System.exit(0);
    }

    private static long used() {
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    /** How long this thread has run on a processor, in nanoseconds: what others do at the same time does not count. */
    private static long worked() {
        return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    }

    /** How many requests are made before they are asked: those that come in at about one time. */
    private static final int BATCH = 250;

    /** Of each batch counts the pass that was disturbed least. The time to make the requests is not counted. */
    private double evaluationsPerSecond(List<JsonObject> requests, double seconds) {
        long whole = 0;
        long[] least = new long[(requests.size() + BATCH - 1) / BATCH];
        Arrays.fill(least, Long.MAX_VALUE);
        int kind = kind(requests.get(0));
        while (whole < seconds * 1e9) {
            for (int batch = 0; batch < least.length; batch++) {
                List<RangerAccessRequest> fresh = new ArrayList<>();
                for (JsonObject request : requests.subList(batch * BATCH, Math.min((batch + 1) * BATCH, requests.size()))) {
                    fresh.add(request(request));
                }
                long started = worked();
                for (RangerAccessRequest request : fresh) {
                    engine.evaluatePolicies(request, kind, null);
                }
                long taken = worked() - started;
                least[batch] = Math.min(least[batch], taken);
                whole += taken;
            }
        }
        return requests.size() / (Arrays.stream(least).sum() / 1e9);
    }

    private static int kind(JsonObject request) {
        switch (request.get("kind").getAsString()) {
            case "mask":
                return RangerPolicy.POLICY_TYPE_DATAMASK;
            case "filter":
                return RangerPolicy.POLICY_TYPE_ROWFILTER;
            default:
                return RangerPolicy.POLICY_TYPE_ACCESS;
        }
    }

    private static Set<String> texts(JsonObject request, String name) {
        return request.has(name) ? GSON.fromJson(request.get(name), new TypeToken<HashSet<String>>() {}.getType()) : new HashSet<>();
    }

    private static String text(JsonObject request, String name) {
        return request.has(name) ? request.get(name).getAsString() : null;
    }

    private static RangerAccessRequest request(JsonObject request) {
        Map<String, Object> elements = GSON.fromJson(request.get("resource"), new TypeToken<HashMap<String, Object>>() {}.getType());
        RangerAccessResourceImpl resource = new RangerAccessResourceImpl(elements, text(request, "owner"));
        RangerAccessRequestImpl made = new RangerAccessRequestImpl();
        made.setResource(resource);
        made.setAccessType(text(request, "access"));
        made.setUser(text(request, "user"));
        made.setUserGroups(texts(request, "groups"));
        made.setAccessTime(new Date(request.get("at").getAsLong()));
        made.setClientIPAddress(text(request, "address"));
        if (request.has("scope")) {
            made.setResourceMatchingScope(RangerAccessRequest.ResourceMatchingScope.valueOf(text(request, "scope")));
        }
        if (request.has("tags")) {
            Set<RangerTagForEval> tags = new HashSet<>();
            for (JsonElement tag : request.getAsJsonArray("tags")) {
                // Only its constructor makes a tag keep its validity periods.
                MatchType match = MatchType.valueOf(tag.getAsJsonObject().get("matchType").getAsString());
                tags.add(new RangerTagForEval(GSON.fromJson(tag, RangerTag.class), match));
            }
            RangerAccessRequestUtil.setRequestTagsInContext(made.getContext(), tags);
        }
        return made;
    }

    private Map<String, Object> answer(JsonObject request) {
        RangerAccessResult result = engine.evaluatePolicies(request(request), kind(request), null);
        Map<String, Object> answer = new HashMap<>();
        answer.put("policyId", result.getPolicyId());
        switch (request.get("kind").getAsString()) {
            case "mask":
                answer.put("mask", result.isMaskEnabled() ? result.getMaskType() : null);
                answer.put("value", result.isMaskEnabled() ? result.getMaskedValue() : null);
                break;
            case "filter":
                answer.put("filter", result.isRowFilterEnabled() ? result.getFilterExpr() : null);
                break;
            default:
                answer.put("allowed", result.getIsAllowed());
                answer.put("audited", result.getIsAudited());
                break;
        }
        return answer;
    }
}
