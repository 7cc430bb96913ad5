package peer;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.messaging.simp.config.ChannelRegistration;
import org.springframework.messaging.simp.config.MessageBrokerRegistry;
import org.springframework.web.socket.config.annotation.EnableWebSocketMessageBroker;
import org.springframework.web.socket.config.annotation.StompEndpointRegistry;
import org.springframework.web.socket.config.annotation.WebSocketMessageBrokerConfigurer;

/** The simple broker of Spring, as a peer of the benchmark: STOMP at /ws, destinations below /topic. */
@SpringBootApplication
@EnableWebSocketMessageBroker
public class Peer implements WebSocketMessageBrokerConfigurer {
    private final boolean ordered;
    private final int threads;

    /**
     * @param ordered whether a session's messages are handled in the order in which it sent them, and reach each session in the
     *     order in which they were published; otherwise a pool's threads overtake each other on both ways
     * @param threads of each of the pools for what comes in and what goes out
     */
    Peer(@Value("${peer.ordered}") boolean ordered, @Value("${peer.threads}") int threads) {
        this.ordered = ordered;
        this.threads = threads;
    }

    public static void main(String[] arguments) {
        SpringApplication.run(Peer.class, arguments);
    }

    @Override
    public void registerStompEndpoints(StompEndpointRegistry registry) {
        registry.addEndpoint("/ws");
        registry.setPreserveReceiveOrder(ordered);
    }

    @Override
    public void configureMessageBroker(MessageBrokerRegistry registry) {
        registry.enableSimpleBroker("/topic");
        registry.setPreservePublishOrder(ordered);
    }

    @Override
    public void configureClientInboundChannel(ChannelRegistration registration) {
        registration.taskExecutor().corePoolSize(threads);
    }

    @Override
    public void configureClientOutboundChannel(ChannelRegistration registration) {
        registration.taskExecutor().corePoolSize(threads);
    }
}
