# docker build -t sluice .
# docker run -v "$PWD/sluice.yaml:/etc/sluice/sluice.yaml:ro" -p 8080:8080 sluice
#
# In a container, a listener must bind 0.0.0.0 to be reached from outside. The admin listens on 127.0.0.1 unless
# SLUICE_ADMIN_ADDRESS=0.0.0.0:8182 is set; then it needs tokens, see docs/api.md.
ARG NODE_IMAGE=node:26-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No install scripts: the only one belongs to the npm package `node`, and this image has a Node.
RUN npm ci --omit=dev --ignore-scripts --no-update-notifier
COPY scripts/build.ts ./scripts/
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE}
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY config /etc/sluice/
# For the embedded store and the last good snapshots: mount a volume here to keep them.
RUN mkdir -p /var/lib/sluice && chown 1000:1000 /var/lib/sluice
VOLUME /var/lib/sluice
# By number (it is `node` in the base image), so that an orchestrator can see that it is not root.
USER 1000:1000
EXPOSE 8080 8182
# It starts a process. An orchestrator that replaces unhealthy containers must not do so because the machine is busy.
HEALTHCHECK --interval=10s --timeout=10s --start-period=10s CMD ["node", "dist/main.js", "healthcheck"]
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve", "--config", "/etc/sluice/sluice.yaml"]
