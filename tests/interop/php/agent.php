<?php
// Makes the calls of a PHP back end by its own hands: no SDK, only curl and HMAC, as the protocol describes them.
//
// Commands come in as JSON, one object a line ({id, command, args}), and {reply: id, result | failure} goes out.
// Knows no test: what is right is decided in Python.

declare(strict_types=1);

set_error_handler(function (int $level, string $message): never {
    throw new ErrorException($message, 0, $level);
});

final class BackEnd
{
    public function __construct(private string $url, private string $appId, private string $key, private string $secret)
    {
    }

    /** Sends an event to channels, but not to the connection named. Returns [status, body]. */
    public function trigger(array $channels, string $event, mixed $data, ?string $socketId = null): array
    {
        $body = ['name' => $event, 'channels' => $channels, 'data' => json_encode($data, JSON_THROW_ON_ERROR)];
        if ($socketId !== null) {
            $body['socket_id'] = $socketId;
        }
        return $this->post("/apps/{$this->appId}/events", json_encode($body, JSON_THROW_ON_ERROR));
    }

    /** What an authorisation endpoint answers. */
    public function authorizeChannel(string $channel, string $socketId, ?array $data = null): array
    {
        $text = $data === null ? null : json_encode($data, JSON_THROW_ON_ERROR);
        $signed = $this->sign(implode(':', array_filter([$socketId, $channel, $text], fn ($part) => $part !== null)));
        $answer = ['auth' => "{$this->key}:{$signed}"];
        return $text === null ? $answer : $answer + ['channel_data' => $text];
    }

    private function post(string $path, string $body): array
    {
        $query = http_build_query([
            'auth_key' => $this->key,
            'auth_timestamp' => time(),
            'auth_version' => '1.0',
            'body_md5' => md5($body),
        ]);
        $query .= '&auth_signature=' . $this->sign("POST\n{$path}\n{$query}");
        $request = curl_init("{$this->url}{$path}?{$query}");
        curl_setopt_array($request, [
            CURLOPT_POSTFIELDS => $body,
            CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => 10,
        ]);
        $answer = curl_exec($request);
        if ($answer === false) {
            throw new RuntimeException(curl_error($request));
        }
        return [curl_getinfo($request, CURLINFO_RESPONSE_CODE), json_decode($answer)];
    }

    private function sign(string $text): string
    {
        return hash_hmac('sha256', $text, $this->secret);
    }
}

[, $url, $appId, $key, $secret] = $argv;
$backEnd = new BackEnd($url, $appId, $key, $secret);
while (($line = fgets(STDIN)) !== false) {
    ['id' => $id, 'command' => $command, 'args' => $args] = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
    try {
        $reply = ['reply' => $id, 'result' => $backEnd->$command(...$args)];
    } catch (Throwable $error) {
        $reply = ['reply' => $id, 'failure' => (string) $error];
    }
    echo json_encode($reply, JSON_THROW_ON_ERROR), "\n";
}
