// gltf_validator.js PACKAGE FILE...: asks the Khronos validator. One line a file: errors, warnings, infos, hints,
// vertices, triangles, attributes; what it has to say follows, indented.
const fs = require('fs');
const validator = require(process.argv[2]);

(async () => {
    for (const file of process.argv.slice(3)) {
        let issues = { numErrors: 1, numWarnings: 0, numInfos: 0, numHints: 0, messages: [] }, info = {};
        try {
            const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(file)), { maxIssues: 20 });
            issues = report.issues;
            info = report.info || {};
        } catch (error) {
            issues.messages.push({ code: String(error) });
        }
        console.log(issues.numErrors, issues.numWarnings, issues.numInfos, issues.numHints,
            info.totalVertexCount, info.totalTriangleCount, info.maxAttributes);
        for (const message of issues.messages)
            console.log('   ', message.code, message.pointer || '', message.message || '');
    }
})();
