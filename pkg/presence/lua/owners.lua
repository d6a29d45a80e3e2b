-- KEYS sets of leases  → per key, the gateways whose lease lives
local reply = {}
for i = 1, #KEYS do
  reply[i] = redis.call('ZRANGEBYSCORE', KEYS[i], '(' .. NOW, '+inf')
end
return reply
