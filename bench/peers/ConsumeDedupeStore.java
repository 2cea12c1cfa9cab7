import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams, exactly_once_v2: consume, drop what its state store has already, store, forward.
 * What the JVM does for intake, without a database, decisions or QuickBooks.
 */
public final class ConsumeDedupeStore {
    private static final Pattern ID = Pattern.compile("\"id\":\"(\\d+)\"");
    private static final AtomicLong SEEN = new AtomicLong();
    private static volatile long startedAt;

    public static void main(String[] arguments) throws Exception {
        String bootstrap = System.getenv("BENCH_KAFKA");
        String group = System.getenv("BENCH_GROUP");
        String topic = arguments[0];
        long target = Long.parseLong(arguments[1]);
        String out = System.getenv("BENCH_OUT");

        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore("known"), Serdes.String(), Serdes.String()));
        builder.stream(topic, Consumed.with(Serdes.String(), Serdes.String()))
            .process(Dedupe::new, "known")
            .to(out, Produced.with(Serdes.String(), Serdes.String()));

        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, group);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("BENCH_STATE"));
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        settings.put("auto.offset.reset", "earliest");
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.start();
        while (SEEN.get() < target) {
            Thread.sleep(5);
        }
        Thread.sleep(100); // the commit interval of exactly_once_v2
        double seconds = (System.nanoTime() - startedAt) / 1e9;
        long cpu = ProcessHandle.current().info().totalCpuDuration().orElse(Duration.ZERO).toMillis();
        System.out.printf(
            "{\"event\": \"done\", \"count\": %d, \"seconds\": %.4f, \"cpu_seconds\": %.3f}%n",
            SEEN.get(), seconds, cpu / 1e3);
        System.out.flush();
        streams.close(Duration.ofSeconds(10));
    }

    private static final class Dedupe implements Processor<String, String, String, String> {
        private ProcessorContext<String, String> context;
        private KeyValueStore<String, String> known;

        @Override
        public void init(ProcessorContext<String, String> given) {
            context = given;
            known = given.getStateStore("known");
        }

        @Override
        public void process(Record<String, String> record) {
            if (startedAt == 0) {
                startedAt = System.nanoTime();
            }
            Matcher found = ID.matcher(record.value());
            if (found.find()) {
                String before = known.get(found.group(1));
                if (!record.value().equals(before)) {
                    known.put(found.group(1), record.value());
                    context.forward(record.withValue("wanted"));
                }
            }
            SEEN.incrementAndGet();
        }
    }
}
