# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# For puma; the backend's port is in $BACKEND.
#
# Modes: one (Net::HTTP); two (one after the other); keep (on a connection of the thread); none; thread (two calls on
# threads of their own, joined); after (once the answer is sent).

require 'net/http'

BACKEND = Integer(ENV.fetch('BACKEND'))

def call(mode, id, k)
  Net::HTTP.get(URI("http://127.0.0.1:#{BACKEND}/b/#{mode}/#{id}/#{k}"))
end

def call_kept(id)
  kept = Thread.current[:kept] ||= Net::HTTP.start('127.0.0.1', BACKEND)
  kept.get("/b/keep/#{id}/0").body
end

run(lambda do |env|
  _, mode, id = env['PATH_INFO'].split('/')
  case mode
  when 'one' then call(mode, id, 0)
  when 'two' then 2.times { |k| call(mode, id, k) }
  when 'keep' then call_kept(id)
  when 'thread' then Array.new(2) { |k| Thread.new { call(mode, id, k) } }.each(&:join)
  when 'after' then env['rack.after_reply'] << -> { call(mode, id, 0) }
  end
  [200, { 'content-length' => id.size.to_s }, [id]]
end)
